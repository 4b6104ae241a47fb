package hostilepeer

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// hostLink is a link of the hostile host, which publishes Evil.
func (s *Stage) hostLink(ctx context.Context) (*speak.Link, error) {
	return speak.OpenHost(ctx, s.Edge, s.HostID, s.Evil)
}

// Host brings the hostile host up and meets the honest client, for a local
// connection of which it has not said a word yet.
func (s *Stage) Host(ctx context.Context) (*speak.Link, *speak.Trunk, net.Conn, error) {
	sc, err := s.scene(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := s.Edge.Meet(ctx, s.HostID, sc.offer)
	if err != nil {
		sc.close()
	}
	return sc.link, t, sc.local, err
}

// onHostLink acts on a link of the hostile host, and waits.
func onHostLink(act func(l *speak.Link, s *Stage) error) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		l, err := s.hostLink(ctx)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		if err := act(l, s); err != nil {
			return "", 0, err
		}
		return judge(l, min(within, moment), l.Lives)
	}
}

// stallsOnHostLink sends half a message.
func stallsOnHostLink(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
	l, err := s.hostLink(ctx)
	if err != nil {
		return "", 0, err
	}
	defer l.Close()
	l.Raw(speak.Frame(speak.KindPing, 0, 1, make([]byte, 1000))[:50])
	return judge(l, within, nil)
}

func hostLinks() []Behaviour {
	borne := []Outcome{Borne}
	b := []Behaviour{
		{Name: "registers another's hostname", Want: borne, play: onHostLink(func(l *speak.Link, s *Stage) error {
			m, err := l.Register(s.App)
			if err == nil && (m.Kind != speak.KindRegistered || !bytes.Contains(m.Body, []byte(`"reason":{`))) {
				err = fmt.Errorf("not refused: %s", m.Body)
			}
			return err
		})},
		{Name: "registers 1,500 hostnames outside its right", Want: borne, Within: 20 * time.Second, play: onHostLink(func(l *speak.Link, _ *Stage) error {
			_, err := l.Register(many(1500, "x%04d.elsewhere.org")...)
			return err
		})},
		{Name: "registers 10,000 hostnames inside its right", Want: borne, Within: 60 * time.Second, Log: 512 << 10, play: onHostLink(func(l *speak.Link, _ *Stage) error {
			for part := range 8 {
				if _, err := l.Register(many(1250, fmt.Sprintf("x%d-%%04d.site.com", part))...); err != nil {
					return err
				}
			}
			return nil
		})},
		{Name: "registers what is no hostname", Want: borne, play: onHostLink(func(l *speak.Link, _ *Stage) error {
			_, err := l.Register("", ".", "*", "a..b", "x\nlevel=ERROR", "-.site.com", "127.0.0.1")
			return err
		})},
		{Name: "cut of another's stream confirmed", Want: borne, play: hostLies(speak.KindCutDone)},
		{Name: "end of another's stream told by a host", Want: borne, play: hostLies(speak.KindStreamEnded)},
		{Name: "failure of another's offer told", Want: borne, play: hostLies(speak.KindOfferFailed)},
		{Name: "asks for a ticket", Want: []Outcome{Refused}, play: func(ctx context.Context, s *Stage, _ time.Duration) (Outcome, time.Duration, error) {
			l, err := s.hostLink(ctx)
			if err != nil {
				return "", 0, err
			}
			defer l.Close()
			start := time.Now()
			m, err := l.Call(speak.KindTicketRequest, speak.Object{"session": s.ClientID.Session, "hostname": s.App, "carrier": "trunk"})
			return answered(m, start, err)
		}},
		{Name: "message that stalls half way, from a host", Rests: true, Within: 15 * time.Second, Want: []Outcome{Cut}, play: stallsOnHostLink},
		{Name: "does not cut what it is told to", Within: 3 * time.Second, Want: []Outcome{Cut}, play: onScene(deafToCuts)},
	}
	for i := range b {
		b[i].Actor, b[i].Victim = "host", TheEdge
	}
	return b
}

func many(n int, format string) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf(format, i)
	}
	return names
}

// hostLies is lies, on a host's link.
func hostLies(kind byte) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		trunk, stream, err := s.Honest(ctx)
		if err != nil {
			return "", 0, err
		}
		out, d, err := onHostLink(func(l *speak.Link, _ *Stage) error {
			l.Say(kind, speak.Object{"trunk": trunk, "stream": stream, "code": "closed", "reason": speak.Object{"code": "internal"}})
			return nil
		})(ctx, s, within)
		if err == nil {
			err = s.still(ctx, trunk, stream)
		}
		return out, d, err
	}
}

// deafToCuts serves a stream, and goes on when the edge cuts it: its whole
// trunk must go.
func deafToCuts(ctx context.Context, sc *scene, _ time.Duration) (Outcome, time.Duration, error) {
	id, err := sc.admit(ctx)
	if err != nil {
		return "", 0, err
	}
	start := time.Now()
	cut := make(chan error, 1)
	go func() { cut <- sc.stage.CutStream(ctx, hex.EncodeToString(id)) }() // ends with ctx
	if _, err := speak.Ends(sc.trunk, 5*time.Second); err != nil {
		return Borne, time.Since(start), nil
	}
	d := time.Since(start)
	return Cut, d, <-cut
}
