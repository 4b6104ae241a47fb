package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// runLink runs a link until the test ends and gives what it handles.
func runLink(t *testing.T, conn net.Conn, handle Handler) (l *Link, ended <-chan error) {
	t.Helper()
	l = NewLink(conn)
	done := make(chan error, 1)
	go func() { done <- l.Run(t.Context(), handle) }()
	return l, done
}

func ignore(uint32, Message) {}

func TestLinkCallsBothWays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		var left, right *Link
		answer := func(l **Link, name string) Handler {
			return func(req uint32, m Message) {
				if req == 0 {
					return
				}
				switch m := m.(type) {
				case *AppsRequest:
					(*l).Reply(req, &Apps{Apps: []AppInfo{{Hostname: name + m.Session}}})
				default:
					(*l).Reply(req, &Failure{Reason: Reason{Code: CodeInvalid, Text: name}})
				}
			}
		}
		left, leftEnded := runLink(t, a, answer(&left, "left "))
		right, rightEnded := runLink(t, b, answer(&right, "right "))
		var wg sync.WaitGroup
		for _, c := range []struct {
			from *Link
			want string
		}{{left, "right "}, {right, "left "}} {
			for i := range 50 {
				wg.Go(func() {
					session := fmt.Sprint(i)
					m, err := c.from.Call(t.Context(), &AppsRequest{Session: session})
					if apps, ok := m.(*Apps); err != nil || !ok || apps.Apps[0].Hostname != c.want+session {
						t.Errorf("answer %+v, %v", m, err)
					}
				})
			}
		}
		wg.Wait()
		_, err := left.Call(t.Context(), &Logout{Session: "x"})
		var r *Reason
		if !errors.As(err, &r) || r.Code != CodeInvalid || r.Text != "right " {
			t.Errorf("a failure comes as %v", err)
		}
		left.Close()
		if err := <-leftEnded; !errors.Is(err, ErrLinkClosed) {
			t.Errorf("left ended with %v", err)
		}
		if err := <-rightEnded; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("right ended with %v, want an error that is not EOF", err)
		}
		if _, err := left.Call(t.Context(), &AppsRequest{}); !errors.Is(err, ErrLinkClosed) {
			t.Errorf("call after the end: %v", err)
		}
	})
}

func TestLinkCallEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		l, _ := runLink(t, a, ignore)
		runLink(t, b, ignore)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Call(ctx, &AppsRequest{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("call without an answer: %v", err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.calls) != 0 {
			t.Errorf("%d calls remain", len(l.calls))
		}
	})
}

// The end of a link ends the calls that wait.
func TestLinkEndEndsCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		l, _ := runLink(t, a, ignore)
		other, _ := runLink(t, b, ignore)
		failed := make(chan error)
		go func() {
			_, err := l.Call(t.Context(), &AppsRequest{})
			failed <- err
		}()
		synctest.Wait()
		other.Close()
		if err := <-failed; err == nil {
			t.Error("the call succeeds")
		}
	})
}

// What cuts goes before what was queued.
// An end never comes before its beginning: a host would serve a stream that was
// cut, a daemon would wait for its welcome.
func TestLinkUrgentKeepsItsOrder(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	l := NewLink(a)
	l.Send(&StreamEnded{})
	want := []Kind{KindWelcome, KindLoginDone, KindSessionEnded, KindGrant, KindCut, KindStreamEnded}
	l.Reply(1, &Welcome{})
	l.Reply(2, &LoginDone{})
	for _, m := range []Message{&SessionEnded{}, &Grant{}, &Cut{}} {
		l.Send(m)
	}
	go l.Run(t.Context(), ignore)
	r := bufio.NewReader(b)
	var got []Kind
	for range want {
		m, _, _, err := readRaw(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Kind())
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	l.Close()
}

func TestLinkUrgentFirst(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	l := NewLink(a)
	for range 3 {
		l.Send(&StreamEnded{})
	}
	for _, m := range []Message{&Cut{}, &Denied{}, &SessionEnded{}} {
		l.Send(m)
	}
	go l.Run(t.Context(), ignore)
	var got []Kind
	r := bufio.NewReader(b)
	for range 6 {
		m, _, _, err := readRaw(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Kind())
	}
	want := []Kind{KindCut, KindDenied, KindSessionEnded, KindStreamEnded, KindStreamEnded, KindStreamEnded}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	l.Close()
}

func readRaw(r io.Reader) (Message, uint32, byte, error) {
	var header [linkHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, 0, 0, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(header[:]))
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, 0, 0, err
	}
	return decodeMessage(frame)
}

// A peer that does not read ends its link, and nobody waits for it.
func TestLinkOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, _ := net.Pipe() // nobody reads
		l, ended := runLink(t, a, ignore)
		m := &LoginEnded{Attempt: strings.Repeat("x", 10_000)}
		var err error
		sent := 0
		for ; err == nil && sent < MaxLinkQueue; sent += 10_000 {
			err = l.Send(m)
		}
		if !errors.Is(err, ErrLinkOverflow) || sent < MaxLinkQueue/2 {
			t.Errorf("after %d bytes: %v", sent, err)
		}
		if err := <-ended; !errors.Is(err, ErrLinkOverflow) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestLinkPingsAndDies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		_, ended := runLink(t, a, ignore)
		begin := time.Now()
		m, _, _, err := readRaw(b)
		if _, ok := m.(*Ping); err != nil || !ok || time.Since(begin) != PingAfter {
			t.Errorf("after %v came %T, %v; want a ping after %v", time.Since(begin), m, err, PingAfter)
		}
		go io.Copy(io.Discard, b)
		err = <-ended
		if !errors.Is(err, ErrLinkDead) || time.Since(begin) < DeadAfter || time.Since(begin) > DeadAfter+PingAfter {
			t.Errorf("after %v: %v; want dead after %v", time.Since(begin), err, DeadAfter)
		}
	})
}

// Two ends that only ping live for ever.
func TestLinkPongsKeepItAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		l, _ := runLink(t, a, ignore)
		other, _ := runLink(t, b, ignore)
		time.Sleep(time.Hour) // of the bubble
		if l.Err() != nil || other.Err() != nil {
			t.Errorf("ended with %v and %v", l.Err(), other.Err())
		}
	})
}

// A byte now and then is life, even within a frame; silence within one is not.
func TestLinkSilenceWithinAFrame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		got := make(chan Message, 1)
		_, ended := runLink(t, a, func(_ uint32, m Message) { got <- m })
		go io.Copy(io.Discard, b)
		frame, err := encodeMessage(&Drain{}, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range frame {
			time.Sleep(DeadAfter - time.Second)
			b.Write(frame[i : i+1])
		}
		if _, ok := (<-got).(*Drain); !ok {
			t.Error("the message did not come")
		}
		b.Write(frame[:7])
		if err := <-ended; !errors.Is(err, ErrLinkDead) {
			t.Errorf("ended with %v, want dead", err)
		}
	})
}

func TestLinkRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	frame := func(kind, flags byte, body string) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(linkPrelude+len(body)))
		return append(append(b, kind, flags, 0, 0, 0, 0), body...)
	}
	for _, test := range []struct {
		name  string
		bytes []byte
		want  error // nil: the link goes on
	}{
		{"unknown type", frame(200, 0, "{}"), errMessageUnknown},
		{"unknown type, optional", frame(200, flagOptional, "{}"), nil},
		{"unknown field", frame(byte(KindLogout), 0, `{"session":"x","colour":"red"}`), nil},
		{"answer to nothing", frame(byte(KindOK), flagReply, "{}"), nil},
		{"too long", binary.BigEndian.AppendUint32(nil, MaxMessage+1), errMessageSize},
		{"too short", binary.BigEndian.AppendUint32(nil, linkPrelude-1), errMessageSize},
		{"no JSON", frame(byte(KindLogout), 0, "{"), errMessageBody},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, b := net.Pipe()
			got := make(chan Message, 8)
			_, ended := runLink(t, a, func(_ uint32, m Message) { got <- m })
			go io.Copy(io.Discard, b)
			go b.Write(append(test.bytes, frame(byte(KindDrain), 0, "{}")...))
			if test.want == nil {
				for m := range got {
					if _, ok := m.(*Drain); ok {
						return
					}
				}
			}
			err := <-ended
			if !errors.Is(err, test.want) || !IsBreach(err) {
				t.Errorf("ended with %v, want %v", err, test.want)
			}
		})
	}
}

func TestLinkSendsNothingTooLong(t *testing.T) {
	t.Parallel()
	a, _ := net.Pipe()
	l := NewLink(a)
	if err := l.Send(&LoginEnded{Attempt: strings.Repeat("x", MaxMessage)}); !errors.Is(err, errMessageSize) {
		t.Errorf("send: %v, want %v", err, errMessageSize)
	}
	if l.Err() != nil {
		t.Errorf("the link ended: %v", l.Err())
	}
}

// Every kind has a message of its own, which says that kind.
func TestKinds(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]Kind{}
	for k := KindHello; k <= KindStreams; k++ {
		m := newMessage(k)
		if m == nil || m.Kind() != k {
			t.Errorf("kind %d gives %T", k, m)
			continue
		}
		if before, ok := seen[reflect.TypeOf(m)]; ok {
			t.Errorf("kinds %d and %d give %T", before, k, m)
		}
		seen[reflect.TypeOf(m)] = k
	}
	if newMessage(0) != nil || newMessage(KindStreams+1) != nil {
		t.Error("a kind that does not exist gives a message")
	}
}

// Every message survives the wire.
func FuzzLinkMessage(f *testing.F) {
	for k := KindHello; k <= KindStreams; k++ {
		b, err := encodeMessage(newMessage(k), 7, flagReply)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b[linkHeader:])
	}
	grant, _ := encodeMessage(&Grant{Trunk: NewTrunkID(), Stream: NewStreamID(), Hostname: "tcp.site.com", Port: 22,
		Person: PersonInfo{Issuer: "i", Subject: "s", Groups: []string{"g"}}}, 0, flagOptional)
	f.Add(grant[linkHeader:])
	f.Fuzz(func(t *testing.T, b []byte) {
		m, req, flags, err := decodeMessage(b)
		if err != nil || m == nil {
			return
		}
		again, err := encodeMessage(m, req, flags)
		if err != nil {
			return // it may be longer than it came
		}
		m2, req2, flags2, err := decodeMessage(again[linkHeader:])
		if err != nil || req2 != req || flags2 != flags || m2.Kind() != m.Kind() {
			t.Fatalf("%q becomes %+v, %v", b, m2, err)
		}
		twice, err := encodeMessage(m2, req, flags)
		if err != nil || string(twice) != string(again) {
			t.Fatalf("%q becomes %q, then %q", b, again, twice)
		}
	})
}
