package policer

import (
	"errors"
	"testing"
	"time"
)

var small = Limits{
	MaxFrame: 1000, MaxStreams: 3,
	Opens: Rate{10, 5}, Pings: Rate{1, 3}, Control: Rate{100, 50}, Unknown: Rate{1, 2},
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// script is a little language for what a peer sends.
type script struct {
	p   *Policer
	now time.Time
	err error
}

func (s *script) in(h Header) *script {
	if s.err == nil {
		s.err = s.p.In(h, s.now)
	}
	return s
}

func (s *script) syn(id uint32) *script {
	return s.in(Header{Type: TypeWindowUpdate, Flags: FlagSYN, Stream: id})
}

func (s *script) data(id uint32, n int) *script {
	return s.in(Header{Type: TypeData, Stream: id, Length: uint32(n)})
}

func (s *script) update(id uint32, flags uint16) *script {
	return s.in(Header{Type: TypeWindowUpdate, Flags: flags, Stream: id})
}

func (s *script) out(id uint32, flags uint16) *script {
	s.p.Out(Header{Type: TypeWindowUpdate, Flags: flags, Stream: id})
	return s
}

func (s *script) ping(n int) *script {
	for i := range n {
		s.in(Header{Type: TypePing, Flags: FlagSYN, Length: uint32(i)})
	}
	return s
}

func (s *script) pass(d time.Duration) *script {
	s.now = s.now.Add(d)
	return s
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		client bool // this end is the client
		act    func(s *script)
		want   Rule
	}{
		{"a stream's whole life", false, func(s *script) {
			s.syn(1).data(1, 1000).update(1, 0).update(1, FlagFIN).out(1, FlagFIN)
		}, ""},
		{"a client's stream", true, func(s *script) {
			s.out(1, FlagSYN).update(1, FlagACK).data(1, 10).update(1, FlagFIN).out(1, FlagFIN)
		}, ""},
		{"pings now and then", false, func(s *script) {
			for range 20 {
				s.ping(1).pass(time.Second)
			}
		}, ""},
		{"go-away", false, func(s *script) { s.in(Header{Type: TypeGoAway}) }, ""},

		{"version", false, func(s *script) { s.in(Header{Version: 1}) }, RuleFrame},
		{"type", false, func(s *script) { s.in(Header{Type: 4}) }, RuleFrame},
		{"flags", false, func(s *script) { s.in(Header{Type: TypeWindowUpdate, Flags: 1 << 4}) }, RuleFrame},
		{"ping on a stream", false, func(s *script) { s.in(Header{Type: TypePing, Flags: FlagSYN, Stream: 1}) }, RuleFrame},
		{"ping that is both", false, func(s *script) { s.in(Header{Type: TypePing, Flags: FlagSYN | FlagACK}) }, RuleFrame},
		{"go-away on a stream", false, func(s *script) { s.in(Header{Type: TypeGoAway, Stream: 1}) }, RuleFrame},

		{"frame too long", false, func(s *script) { s.syn(1).in(Header{Stream: 1, Length: 1001}) }, RuleLength},
		{"frame of 4 GiB", false, func(s *script) { s.syn(1).in(Header{Stream: 1, Length: 1<<32 - 1}) }, RuleLength},
		{"empty frame", false, func(s *script) { s.syn(1).data(1, 0) }, RuleLength},

		{"even id", false, func(s *script) { s.syn(2) }, RuleParity},
		{"id 0", false, func(s *script) { s.data(0, 1) }, RuleParity},
		{"never opened", false, func(s *script) { s.syn(1).data(3, 1) }, RuleParity},
		{"client is opened to", true, func(s *script) { s.syn(2) }, RuleParity},
		{"client is opened to with its own id", true, func(s *script) { s.syn(1) }, RuleParity},
		{"host is acknowledged", false, func(s *script) { s.syn(1).update(1, FlagACK) }, RuleTwice},

		{"same id", false, func(s *script) { s.syn(1).syn(1) }, RuleTwice},
		{"same id after its end", false, func(s *script) { s.syn(1).update(1, FlagFIN).out(1, FlagFIN).syn(1) }, RuleTwice},
		{"ids down", false, func(s *script) { s.syn(5).syn(3) }, RuleTwice},
		{"data after FIN", false, func(s *script) { s.syn(1).update(1, FlagFIN).data(1, 1) }, RuleTwice},
		{"FIN twice", false, func(s *script) { s.syn(1).update(1, FlagFIN).update(1, FlagFIN) }, RuleTwice},
		{"acknowledged twice", true, func(s *script) { s.out(1, FlagSYN).update(1, FlagACK).update(1, FlagACK) }, RuleTwice},

		{"too many streams", false, func(s *script) { s.syn(1).syn(3).syn(5).pass(time.Second).syn(7) }, RuleStreams},
		{"half-closed streams count", false, func(s *script) {
			s.syn(1).update(1, FlagFIN).syn(3).update(3, FlagFIN).syn(5).update(5, FlagFIN).pass(time.Second).syn(7)
		}, RuleStreams},
		{"streams too quickly", false, func(s *script) {
			for id := uint32(1); id < 13; id += 2 {
				s.syn(id).update(id, FlagRST)
			}
		}, RuleOpens},
		{"pings too often", false, func(s *script) { s.ping(4) }, RulePings},
		{"window updates too often", false, func(s *script) {
			s.syn(1)
			for range 50 {
				s.update(1, 0)
			}
		}, RuleControl},
		{"answers to no ping", false, func(s *script) {
			for range 51 {
				s.in(Header{Type: TypePing, Flags: FlagACK})
			}
		}, RuleControl},
		{"closed streams again and again", false, func(s *script) {
			s.syn(1).update(1, FlagRST).update(1, 0).update(1, 0).update(1, 0)
		}, RuleUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &script{p: New(!test.client, small, nil), now: start}
			test.act(s)
			var v *Violation
			if errors.As(s.err, &v); v == nil && test.want != "" || v != nil && v.Rule != test.want {
				t.Errorf("got %v, want rule %q", s.err, test.want)
			}
		})
	}
}

func TestLiveForgetsClosedStreams(t *testing.T) {
	t.Parallel()
	s := &script{p: New(true, small, nil), now: start}
	s.syn(1).update(1, FlagFIN)
	if got := s.p.Live(); got != 1 {
		t.Errorf("half closed: %d live, want 1", got)
	}
	s.out(1, FlagFIN)
	if got := s.p.Live(); got != 0 || s.err != nil {
		t.Errorf("closed: %d live, %v", got, s.err)
	}
}

func TestPongIsTold(t *testing.T) {
	t.Parallel()
	var got uint32
	p := New(true, small, func(v uint32, _ time.Time) { got = v })
	p.In(Header{Type: TypePing, Flags: FlagACK, Length: 77}, start)
	if got != 77 {
		t.Errorf("told %d, want 77", got)
	}
}

// Nothing makes the policer panic or keep more than it may.
func FuzzPolicer(f *testing.F) {
	syn := Header{Type: TypeWindowUpdate, Flags: FlagSYN, Stream: 1, Length: 100}.Append(nil)
	f.Add(syn, true)
	f.Add(append(syn, Header{Stream: 1, Length: 4}.Append(nil)...), true)
	f.Add(Header{Type: TypePing, Flags: FlagSYN, Length: 9}.Append(nil), false)
	f.Add(append(syn, Header{Type: TypeWindowUpdate, Flags: FlagFIN, Stream: 1}.Append(nil)...), true)
	f.Fuzz(func(t *testing.T, b []byte, host bool) {
		p := New(host, small, nil)
		if !host {
			p.Out(Header{Type: TypeWindowUpdate, Flags: FlagSYN, Stream: 1})
		}
		for ; len(b) >= HeaderSize; b = b[HeaderSize:] {
			h := ParseHeader([HeaderSize]byte(b))
			if again := h.Append(nil); string(again) != string(b[:HeaderSize]) {
				t.Fatalf("%x becomes %x", b[:HeaderSize], again)
			}
			if err := p.In(h, start); err != nil {
				break
			}
		}
		if p.Live() > small.MaxStreams {
			t.Fatalf("%d streams", p.Live())
		}
	})
}
