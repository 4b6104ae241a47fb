package hostilepeer

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// onLink says hello on a link of the hostile client, acts, and waits.
func onLink(act func(l *speak.Link, s *Stage)) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		l, err := s.link(ctx)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		act(l, s)
		return judge(l, within, l.Lives)
	}
}

// link is a link of the hostile client with its session.
func (s *Stage) link(ctx context.Context) (*speak.Link, error) { return s.linkOf(ctx, s.ClientID) }

func (s *Stage) linkOf(ctx context.Context, id *speak.Identity) (*speak.Link, error) {
	l, err := speak.OpenLink(ctx, s.Edge, id)
	if err != nil {
		return nil, err
	}
	m, err := l.Hello(id, "client", nil)
	if err == nil && m.Get("session", "id") == "" {
		err = fmt.Errorf("no session in %s", m.Body)
	}
	if err != nil {
		l.Close()
	}
	return l, err
}

// greet says a hello that is wrong.
func greet(more speak.Object) play {
	return func(ctx context.Context, s *Stage, _ time.Duration) (Outcome, time.Duration, error) {
		id, err := speak.NewIdentity()
		if err != nil {
			return "", 0, err
		}
		l, err := speak.OpenLink(ctx, s.Edge, id)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		start := time.Now()
		m, err := l.Hello(id, "client", more)
		out, _, _ := answered(m, start, err)
		if out == Refused { // and then the link must end
			return judge(l, 3*time.Second, nil)
		}
		return out, time.Since(start), nil
	}
}

func links() []Behaviour {
	cut, borne := []Outcome{Cut}, []Outcome{Borne}
	huge := strings.Repeat("a", speak.MaxMessage-200)
	b := []Behaviour{
		{Name: "message of length 0", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) { l.Raw(make([]byte, 4)) })},
		{Name: "message shorter than its header", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) { l.Raw([]byte{0, 0, 0, 5, 3, 0, 0, 0, 0}) })},
		{Name: "message of 64 KiB and a byte", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) {
			l.Raw(speak.Frame(speak.KindPing, 0, 1, bytes.Repeat([]byte{' '}, speak.MaxMessage-6+1)))
		})},
		{Name: "message of 4 GiB", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) { l.Raw([]byte{255, 255, 255, 255, 3, 0}) })},
		{Name: "unknown message", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) { l.Raw(speak.Frame(250, 0, 0, []byte("{}"))) })},
		{Name: "unknown message, optional", Want: borne, play: onLink(func(l *speak.Link, _ *Stage) { l.Raw(speak.Frame(250, speak.FlagOptional, 0, []byte("{}"))) })},
		{Name: "message of the edge's", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) { l.Say(speak.KindGrant, speak.Object{}) })},
		{Name: "body that is no JSON", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) { l.Raw(speak.Frame(speak.KindLogout, 0, 1, []byte("{{{"))) })},
		{Name: "field of another type", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) { l.Say(speak.KindLogout, speak.Object{"session": []int{1}}) })},
		{Name: "JSON 30,000 deep", Want: []Outcome{Cut, Borne}, play: onLink(func(l *speak.Link, _ *Stage) {
			l.Raw(speak.Frame(speak.KindPing, 0, 0, []byte(`{"x":`+strings.Repeat("[", 30_000)+strings.Repeat("]", 30_000)+"}")))
		})},
		{Name: "200 messages of 64 KiB", Want: []Outcome{Cut, Borne}, play: onLink(func(l *speak.Link, _ *Stage) {
			b := speak.Frame(speak.KindPing, 0, 0, []byte(`{"x":"`+huge+`"}`))
			for range 200 {
				l.Raw(b)
			}
		})},
		{Name: "answer that nobody waits for", Want: borne, play: onLink(func(l *speak.Link, _ *Stage) {
			for n := range uint32(1000) {
				l.Raw(speak.Frame(speak.KindOK, speak.FlagAnswer, n, []byte("{}")))
			}
		})},
		{Name: "hello twice", Want: cut, play: onLink(func(l *speak.Link, s *Stage) {
			l.Say(speak.KindHello, speak.Object{"versions": []int{1}, "role": "client", "boot_id": s.ClientID.Boot})
		})},
		{Name: "message before hello", Want: cut, play: strangeLink(func(l *speak.Link, _ *speak.Identity) { l.Say(speak.KindAppsRequest, speak.Object{"session": "x"}) })},
		{Name: "2,000,000 pings, answers not read", Want: cut, Within: 12 * time.Second, play: onLink(func(l *speak.Link, _ *Stage) {
			speak.Flood(l, speak.Frame(speak.KindPing, 0, 1, []byte("{}")), 2_000_000)
		})},
		{Name: "200,000 pings in a second", Want: cut, play: onLink(func(l *speak.Link, _ *Stage) {
			go speak.Flood(l, speak.Frame(speak.KindPing, 0, 1, []byte("{}")), 200_000) // ends with the link
		})},
		{Name: "message that stalls half way", Want: cut, Rests: true, Within: 15 * time.Second, play: onLink(func(l *speak.Link, _ *Stage) { l.Raw(speak.Frame(speak.KindPing, 0, 1, make([]byte, 1000))[:50]) })},
		{Name: "says nothing for ever", Want: cut, Rests: true, Within: 15 * time.Second, play: onLink(func(*speak.Link, *Stage) {})},
		{Name: "hello of another version", Want: cut, Within: 3 * time.Second, play: greet(speak.Object{"versions": []int{99}})},
		{Name: "hello of an unknown role", Want: cut, Within: 3 * time.Second, play: greet(speak.Object{"role": "root"})},
		{Name: "hello with a device name of 60 KiB and lines", Want: borne, play: greet(speak.Object{"device_name": strings.Repeat("evil\nlevel=ERROR ", 3000)})},
		{Name: "hello with another's token", Want: borne, play: othersToken},
		{Name: "hello with others' streams", Want: borne, play: othersStreams},
	}
	for i := range b {
		b[i].Actor, b[i].Victim = "client", TheEdge
	}
	return b
}

// othersToken shows the token of another key: no session may come of it.
func othersToken(ctx context.Context, s *Stage, _ time.Duration) (Outcome, time.Duration, error) {
	id, err := speak.NewIdentity()
	if err != nil {
		return "", 0, err
	}
	l, err := speak.OpenLink(ctx, s.Edge, id)
	if err != nil {
		return "", 0, err
	}
	defer l.Close()
	id.Token = s.other.Token
	start := time.Now()
	m, err := l.Hello(id, "client", nil)
	if err == nil && m.Get("session", "id") != "" {
		err = fmt.Errorf("another's token gave a session: %s", m.Body)
	}
	// Its owner keeps the session.
	if o, oerr := s.linkOf(ctx, s.other); oerr != nil {
		err = fmt.Errorf("the owner of the token: %w", oerr)
	} else {
		o.Close()
	}
	return Borne, time.Since(start), err
}

// othersStreams lists a stream of an honest client as its own.
func othersStreams(ctx context.Context, s *Stage, _ time.Duration) (Outcome, time.Duration, error) {
	trunk, stream, err := s.Honest(ctx)
	if err != nil {
		return "", 0, err
	}
	l, err := speak.OpenLink(ctx, s.Edge, s.ClientID)
	if err != nil {
		return "", 0, err
	}
	defer l.Close()
	start := time.Now()
	refs := []speak.Object{{"trunk": trunk, "stream": stream}}
	for range 500 {
		refs = append(refs, speak.Object{"trunk": speak.RandomHex(16), "stream": speak.RandomHex(16)})
	}
	m, err := l.Hello(s.ClientID, "client", speak.Object{"streams": refs})
	out, d, _ := answered(m, start, err)
	return out, d, s.still(ctx, trunk, stream)
}

// still wants a stream of an honest client to live.
func (s *Stage) still(ctx context.Context, trunk, stream string) error {
	t, st, err := s.Honest(ctx)
	if err == nil && (t != trunk || st != stream) {
		err = fmt.Errorf("stream %s of trunk %s is gone", stream, trunk)
	}
	return err
}
