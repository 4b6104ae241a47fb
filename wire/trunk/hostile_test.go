package trunk

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/policer"
	"github.com/sallyport/sallyport/wire/reason"
)

const patience = 20 * time.Second

func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return a, b
}

// speaker writes frames of yamux by hand.
type speaker struct {
	net.Conn
	out []byte
}

func (s *speaker) frame(h policer.Header, body []byte) *speaker {
	if h.Type == policer.TypeData {
		h.Length = uint32(len(body))
	}
	s.out = append(h.Append(s.out), body...)
	return s
}

// syn opens a yamux stream.
func (s *speaker) syn(stream uint32) *speaker {
	return s.frame(policer.Header{Type: policer.TypeWindowUpdate, Flags: policer.FlagSYN, Stream: stream}, nil)
}

// say sends envelope frames on a yamux stream.
func (s *speaker) say(stream uint32, frames []byte) *speaker {
	return s.frame(policer.Header{Type: policer.TypeData, Stream: stream}, frames)
}

func (s *speaker) send() { s.Write(s.out); s.out = nil }

func open(n byte) []byte { return envelope.AppendOpen(nil, envelope.Opening{ID: [16]byte{n}}) }

func data(n int) []byte { return append(envelope.AppendData(nil, n), make([]byte, n)...) }

// Each of these clients is left at once, with the reason that it broke the
// protocol.
func TestHostLeavesClientsThatBreakTheProtocol(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		act  func(s *speaker)
		rule policer.Rule // "" where the envelope is broken
	}{
		{"ping flood", func(s *speaker) {
			for range 100 {
				s.frame(policer.Header{Type: policer.TypePing, Flags: policer.FlagSYN}, nil)
			}
		}, policer.RulePings},
		{"stream with an even id", func(s *speaker) { s.syn(2) }, policer.RuleParity},
		{"stream opened twice", func(s *speaker) { s.syn(1).syn(1) }, policer.RuleTwice},
		{"ids that go down", func(s *speaker) { s.syn(3).syn(1) }, policer.RuleTwice},
		{"data for what was never opened", func(s *speaker) { s.say(1, open(1)) }, policer.RuleParity},
		{"frame too long", func(s *speaker) { s.syn(1).say(1, make([]byte, envelope.MaxWrite+1)) }, policer.RuleLength},
		{"another version of yamux", func(s *speaker) { s.frame(policer.Header{Version: 1}, nil) }, policer.RuleFrame},
		{"data before open", func(s *speaker) { s.syn(1).say(1, data(1)) }, ""},
		{"open twice", func(s *speaker) { s.syn(1).say(1, append(open(1), open(1)...)) }, ""},
		{"unknown frame", func(s *speaker) { s.syn(1).say(1, append(open(1), 99, 0, 0, 0)) }, ""},
		{"verdict from a client", func(s *speaker) {
			s.syn(1).say(1, envelope.AppendVerdict(open(1), envelope.Words{Code: "ok"}))
		}, ""},
		{"data beyond the early window", func(s *speaker) {
			s.syn(1).say(1, append(open(1), data(envelope.EarlyWindow+1)...))
		}, ""},
		{"data after the end", func(s *speaker) {
			s.syn(1).say(1, append(envelope.AppendFin(open(1)), data(1)...))
		}, ""},
		{"acknowledgement of what was not sent", func(s *speaker) {
			s.syn(1).say(1, envelope.AppendAck(open(1), envelope.Acking{Delivered: 1, Limit: 2}))
		}, ""},
		{"a window beyond the largest", func(s *speaker) {
			s.syn(1).say(1, envelope.AppendAck(open(1), envelope.Acking{Limit: envelope.MaxWindow + 1}))
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			host, a := hostAlone(t)
			go io.Copy(io.Discard, a)
			s := &speaker{Conn: a}
			test.act(s)
			s.send()
			select {
			case <-host.Done():
			case <-time.After(patience):
				t.Fatal("the trunk goes on")
			}
			if !errors.Is(host.Err(), &reason.Reason{Code: reason.Protocol}) {
				t.Errorf("ended with %v, want %s", host.Err(), reason.Protocol)
			}
			var v *policer.Violation
			if errors.As(host.Err(), &v); (v == nil) != (test.rule == "") || v != nil && v.Rule != test.rule {
				t.Errorf("ended with %v, want rule %q", host.Err(), test.rule)
			}
		})
	}
}

// A host that opens a stream towards a client, or speaks before its Verdict.
func TestClientLeavesHostsThatBreakTheProtocol(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		act  func(s *speaker)
	}{
		{"opens a stream", func(s *speaker) { s.syn(2) }},
		{"data before the verdict", func(s *speaker) { s.say(1, data(1)) }},
		{"end before the verdict", func(s *speaker) { s.say(1, envelope.AppendFin(nil)) }},
		{"acknowledgement before the verdict", func(s *speaker) {
			s.say(1, envelope.AppendAck(nil, envelope.Acking{Limit: envelope.MaxWindow}))
		}},
		{"attach on the carrier of the opening", func(s *speaker) {
			s.say(1, envelope.AppendVerdict(nil, envelope.Words{Code: "ok"})).say(1, envelope.AppendAttach(nil, envelope.Attachment{ID: [16]byte{1}}))
		}},
		{"verdict twice", func(s *speaker) {
			ok := envelope.AppendVerdict(nil, envelope.Words{Code: "ok"})
			s.say(1, append(ok, ok...))
		}},
		{"data beyond the window", func(s *speaker) {
			s.say(1, envelope.AppendVerdict(nil, envelope.Words{Code: "ok"}))
			for range 5 {
				s.say(1, data(16<<10))
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, b := tcpPair(t)
			defer a.Close()
			client, err := Client(b, b, Config{})
			if err != nil {
				t.Fatal(err)
			}
			c, err := client.Open(t.Context(), [16]byte{1}, [8]byte{}, false)
			if err != nil {
				t.Fatal(err)
			}
			// Until OPEN has come the stream is not there.
			if _, err := io.ReadFull(a, make([]byte, 12+12+28)); err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, a)
			s := &speaker{Conn: a}
			test.act(s)
			s.send()
			select {
			case <-client.Done():
			case <-time.After(patience):
				t.Fatal("the trunk goes on")
			}
			if !errors.Is(client.Err(), &reason.Reason{Code: reason.Protocol}) || c.Err() == nil {
				t.Errorf("trunk ended with %v, stream with %v", client.Err(), c.Err())
			}
		})
	}
}

// A stream that is not known here is reset, the trunk goes on.
func TestAttachOfAnUnknownStreamIsReset(t *testing.T) {
	t.Parallel()
	host, a := hostAlone(t)
	s := &speaker{Conn: a}
	s.syn(1).say(1, envelope.AppendAttach(nil, envelope.Attachment{ID: [16]byte{1}, Epoch: 1}))
	s.send()
	a.SetReadDeadline(time.Now().Add(patience))
	for {
		_, body, err := readFrame(a)
		if err != nil {
			t.Fatal(err)
		}
		if len(body) > 0 {
			if envelope.Type(body[0]) != envelope.Rst {
				t.Errorf("answer is frame %d, want RST", body[0])
			}
			break
		}
	}
	if host.Err() != nil {
		t.Errorf("the trunk ended: %v", host.Err())
	}
}

func TestDeadPeerIsLeft(t *testing.T) {
	t.Parallel()
	a, b := tcpPair(t)
	defer a.Close()
	client, err := Client(b, b, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { client.CloseWith(nil); <-client.Done() }()
	w := &watchman{t: client}
	now := time.Now()
	if err := w.look(now); err != nil {
		t.Fatal(err)
	}
	// TCP's progress with payload is a sign of life ...
	if _, _, ok := client.progress(); ok {
		for n := uint64(0); n == 0; n, _, _ = client.progress() { // of the ping
			<-time.After(time.Millisecond)
		}
		w.acked, w.unacked, w.progressed = 0, 64<<10, time.Time{}
		if err := w.look(now.Add(DeadAfter + 5*time.Second)); err != nil {
			t.Errorf("with progress of TCP: %v", err)
		}
		// ... but a middle that acknowledges our pings and says nothing is none, ...
		w.acked, w.unacked, w.progressed = 0, 34, time.Time{}
		if err := w.look(now.Add(DeadAfter + 5*time.Second)); !errors.Is(err, errDead) {
			t.Errorf("with acknowledged pings: %v, want %v", err, errDead)
		}
	}
	// ... nor is it without end, and there is none any more.
	w.progressed = now
	w.acked, w.unacked, _ = client.progress()
	if err := w.look(now.Add(DeadAfter + 20*time.Second)); !errors.Is(err, errDead) {
		t.Errorf("without progress: %v, want %v", err, errDead)
	}
	if err := w.look(now.Add(WriteTimeout + 20*time.Second)); !errors.Is(err, errDead) {
		t.Errorf("after a long time: %v, want %v", err, errDead)
	}
}

// Refused streams that the client does not close pile up only so far.
func TestHostLeavesClientThatClosesNothing(t *testing.T) {
	t.Parallel()
	host, a := hostAlone(t)
	verdicts := make(chan struct{}, 1)
	go func() {
		defer close(verdicts)
		for {
			_, body, err := readFrame(a)
			if err != nil {
				return
			}
			if len(body) > 0 && envelope.Type(body[0]) == envelope.Verdict {
				verdicts <- struct{}{}
			}
		}
	}()
	s := &speaker{Conn: a}
	for i := range carrier.MaxRefused + 3*carrier.MaxOpening {
		s.syn(uint32(2*i+1)).say(uint32(2*i+1), open(1))
		s.send()
		if i >= 2*carrier.MaxOpening { // the others wait for their grant
			<-verdicts
		}
	}
	<-host.Done()
	if !errors.Is(host.Err(), &reason.Reason{Code: reason.Protocol}) {
		t.Errorf("ended with %v, want %s", host.Err(), reason.Protocol)
	}
}

// hostAlone is a host's end whose client is played by hand.
func hostAlone(t *testing.T) (*Trunk, net.Conn) {
	t.Helper()
	a, b := tcpPair(t)
	host, err := Host(b, b, Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Close()
		host.CloseWith(nil)
		<-host.Done()
	})
	return host, a
}

func readFrame(r io.Reader) (h policer.Header, body []byte, err error) {
	var header [policer.HeaderSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return h, nil, err
	}
	h = policer.ParseHeader(header)
	body = make([]byte, h.Body())
	_, err = io.ReadFull(r, body)
	return h, body, err
}

// A write that lasts for a minute is the end, even of a peer that speaks.
func TestStuckWriteIsLeft(t *testing.T) {
	t.Parallel()
	host, _ := hostAlone(t)
	w := &watchman{t: host}
	// Nobody reads at the other end: the kernel's buffers fill, then a write lasts.
	go func() {
		for host.framer.Send(1, make([]byte, 64<<10), false) == nil {
		}
	}()
	for host.framer.Stuck(time.Now()) < 100*time.Millisecond {
		select {
		case <-host.Done():
			t.Fatal(host.Err())
		case <-time.After(time.Millisecond):
		}
	}
	if err := w.look(time.Now()); err != nil {
		t.Fatal(err)
	}
	w.progressed = time.Now().Add(WriteTimeout)
	if err := w.look(time.Now().Add(WriteTimeout)); err == nil {
		t.Error("a write that lasts is borne")
	}
}

// After a breach nothing more is taken of what came with it.
func TestNothingIsTakenAfterABreach(t *testing.T) {
	host, a := hostAlone(t)
	go io.Copy(io.Discard, a)
	s := &speaker{Conn: a}
	s.syn(1).say(1, open(1)).send()
	k, err := host.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k.Admit()
	bad := envelope.AppendAck(nil, envelope.Acking{Delivered: 99, Limit: 100}) // of what was not sent
	s.say(1, append(bad, data(7)...)).say(1, envelope.AppendFin(data(5))).send()
	<-host.Done()
	if _, got := k.Counters(); got != 0 {
		t.Errorf("%d bytes were taken after the breach; trunk: %v; stream: %v", got, host.Err(), k.Err())
	}
}
