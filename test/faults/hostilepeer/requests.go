package hostilepeer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// asks sends requests on a link of the hostile client; each must be refused.
func asks(n int, kind byte, body func(s *Stage) speak.Object) play {
	return func(ctx context.Context, s *Stage, _ time.Duration) (Outcome, time.Duration, error) {
		l, err := s.link(ctx)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		start := time.Now()
		var last speak.Message
		for range n {
			if last, err = l.Call(kind, body(s)); err != nil {
				break
			}
		}
		return answered(last, start, err)
	}
}

// opens asks for one stream without a trunk that is its own; it must be denied.
func opens(trunk func(ctx context.Context, s *Stage) (string, error)) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		id, err := trunk(ctx, s)
		if err != nil {
			return "", 0, err
		}
		l, err := s.link(ctx)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		start := time.Now()
		l.Request(id, speak.StreamID())
		m, err := l.AwaitKind(speak.KindDenied, within)
		return answered(m, start, err)
	}
}

func requests() []Behaviour {
	refused := []Outcome{Refused}
	b := []Behaviour{
		{Name: "ticket for another key's session", Want: refused, play: asks(1, speak.KindTicketRequest, func(s *Stage) speak.Object {
			return speak.Object{"session": s.other.Session, "hostname": s.App, "carrier": "trunk"}
		})},
		{Name: "logout of another key's session", Want: refused, play: othersLogout},
		{Name: "apps of another key's session", Want: refused, play: asks(1, speak.KindAppsRequest, func(s *Stage) speak.Object { return speak.Object{"session": s.other.Session} })},
		{Name: "ticket for no session", Want: refused, play: asks(1, speak.KindTicketRequest, func(s *Stage) speak.Object { return speak.Object{"hostname": s.App, "carrier": "trunk"} })},
		{Name: "1,000 tickets for what it may not reach", Want: refused, Within: 10 * time.Second, play: asks(1000, speak.KindTicketRequest, func(s *Stage) speak.Object {
			return speak.Object{"session": s.ClientID.Session, "hostname": "nowhere.site.com", "carrier": "trunk"}
		})},
		{Name: "200 tickets that nobody uses", Want: refused, Within: 10 * time.Second, play: func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
			out, d, err := asks(200, speak.KindTicketRequest, func(s *Stage) speak.Object {
				return speak.Object{"session": s.other.Session, "hostname": s.App, "carrier": "trunk"}
			})(ctx, &Stage{Edge: s.Edge, ClientID: s.other, other: s.other, App: s.App}, within)
			return out, d, err
		}},
		{Name: "register of a client", Want: refused, play: asks(1, speak.KindRegister, func(s *Stage) speak.Object { return speak.Object{"tunnels": []speak.Object{{"hostname": s.App}}} })},
		{Name: "1,000 logins begun", Want: refused, Within: 20 * time.Second, play: asks(1000, speak.KindLoginStart, func(*Stage) speak.Object {
			return speak.Object{"purpose": "session", "mode": "code", "device_name": "x", "os_user": "x", "verifier_hash": make([]byte, 32)}
		})},
		{Name: "enrolment begun by a client", Want: refused, play: asks(1, speak.KindLoginStart, func(*Stage) speak.Object {
			return speak.Object{"purpose": "enrol", "mode": "code", "device_name": "x", "os_user": "x", "verifier_hash": make([]byte, 32)}
		})},
		{Name: "stream of an unknown trunk", Want: refused, play: opens(func(context.Context, *Stage) (string, error) { return speak.RandomHex(16), nil })},
		{Name: "stream of another's trunk", Want: refused, play: opens(func(ctx context.Context, s *Stage) (string, error) {
			t, _, err := s.Honest(ctx)
			return t, err
		})},
		{Name: "end of another's stream told", Want: []Outcome{Borne}, play: lies(speak.KindStreamEnded)},
		{Name: "label used twice", Want: []Outcome{Cut}, play: labelTwice},
	}
	for i := range b {
		b[i].Actor, b[i].Victim = "client", TheEdge
	}
	return b
}

// othersLogout tries to end another key's session, which must live on.
func othersLogout(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
	out, d, err := asks(1, speak.KindLogout, func(s *Stage) speak.Object { return speak.Object{"session": s.other.Session} })(ctx, s, within)
	if err != nil {
		return out, d, err
	}
	l, err := s.linkOf(ctx, s.other)
	if err == nil {
		l.Close()
	}
	return out, d, err
}

// lies tells the edge something about an honest client's stream.
func lies(kind byte) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		trunk, stream, err := s.Honest(ctx)
		if err != nil {
			return "", 0, err
		}
		l, err := s.link(ctx)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		l.Say(kind, speak.Object{"trunk": trunk, "stream": stream, "code": "closed", "bytes_to_origin": uint64(1) << 63})
		out, d, err := judge(l, within, l.Lives)
		return out, d, errors.Join(err, s.still(ctx, trunk, stream))
	}
}

// labelTwice meets a host, and shows the same label again.
func labelTwice(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
	l, err := s.link(ctx)
	if err != nil {
		return "", 0, err
	}
	defer l.Close()
	m, err := l.Ticket(s.ClientID.Session, s.App)
	if err != nil {
		return "", 0, err
	}
	name := s.Edge.LabelName(m.Get("label"))
	raw, err := s.Edge.Dial(ctx)
	if err != nil {
		return "", 0, err
	}
	c := tls.Client(raw, speak.TrunkTLS(s.ClientID, name))
	defer c.Close()
	if err := c.HandshakeContext(ctx); err != nil {
		return "", 0, fmt.Errorf("first use: %w", err)
	}
	return stranger(func(s *Stage) ([]byte, error) { return speak.HelloRecord(name, "sallyport-trunk/1") })(ctx, s, within)
}
