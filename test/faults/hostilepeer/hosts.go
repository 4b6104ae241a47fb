package hostilepeer

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// scene is an honest client that wants to reach the hostile host.
type scene struct {
	stage *Stage
	link  *speak.Link
	local *net.TCPConn // of the honest client's forward
	offer speak.Message
	trunk *speak.Trunk // nil until met
	data  []byte       // that was sent to the local connection in order
	came  []net.Conn   // kept until the end
}

// scene brings the hostile host up, and has the honest client ask for it.
func (s *Stage) scene(ctx context.Context) (*scene, error) {
	l, err := s.hostLink(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", s.Forward)
	if err != nil {
		l.Close()
		return nil, err
	}
	sc := &scene{stage: s, link: l, local: raw.(*net.TCPConn)}
	if sc.offer, err = l.AwaitKind(speak.KindOffer, 20*time.Second); err != nil {
		sc.close()
	}
	return sc, err
}

// come connects with a label, and keeps the connection.
func (sc *scene) come(ctx context.Context, label string) (net.Conn, error) {
	raw, err := sc.stage.Edge.Come(ctx, label)
	if err == nil {
		sc.came = append(sc.came, raw)
	}
	return raw, err
}

func (sc *scene) close() {
	for _, c := range sc.came {
		c.Close()
	}
	if sc.trunk != nil {
		sc.trunk.Raw().Close()
	}
	sc.local.SetLinger(0)
	sc.local.Close()
	sc.link.Close()
}

// admit meets the client, takes its stream 1 and admits it. It gives the
// stream's id.
func (sc *scene) admit(ctx context.Context) ([]byte, error) {
	id, err := sc.meet(ctx)
	if err != nil {
		return nil, err
	}
	speak.WriteAll(sc.trunk, speak.Ydata(1, speak.Admit()))
	return id, nil
}

// meet meets the client and takes its stream 1, without a Verdict.
func (sc *scene) meet(ctx context.Context) ([]byte, error) {
	var err error
	if sc.trunk, err = sc.stage.Edge.Meet(ctx, sc.stage.HostID, sc.offer); err != nil {
		return nil, err
	}
	e, err := sc.trunk.Await(speak.EOpen, 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("no OPEN: %w", err)
	}
	if e.Stream != 1 || len(e.Body) < 16 {
		return nil, fmt.Errorf("OPEN on stream %d: %x", e.Stream, e.Body)
	}
	speak.WriteAll(sc.trunk, speak.Yframe(speak.YWindow, speak.YACK, 1, speak.YamuxWindow-speak.YamuxFirst, nil))
	return e.Body[:16], nil
}

var errEOF = errors.New("the local connection ended with an EOF that is none")

// localEnd waits for the end of the local connection, which must be a reset.
func (sc *scene) localEnd(within time.Duration) (Outcome, time.Duration, error) {
	start := time.Now()
	sc.local.SetReadDeadline(start.Add(within))
	b, err := io.ReadAll(sc.local)
	d := time.Since(start)
	if !bytes.Equal(b, sc.data[:min(len(b), len(sc.data))]) || len(b) > len(sc.data) {
		return Cut, d, fmt.Errorf("%d bytes came that were not sent: %.40q", len(b), b)
	}
	var ne net.Error
	switch {
	case err == nil:
		return Cut, d, errEOF
	case errors.As(err, &ne) && ne.Timeout():
		return Borne, d, nil
	}
	return Cut, d, nil
}

// onScene plays on a scene. What the stage wants looked at is looked at while the
// hostile host is still there.
func onScene(act func(ctx context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error)) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		sc, err := s.scene(ctx)
		if err != nil {
			return "", 0, err
		}
		defer sc.close()
		out, d, err := act(ctx, sc, within)
		if err == nil && s.Meanwhile != nil {
			go sc.link.AwaitKind(0, time.Minute) // it lives on, and comes to no offer; ends with the link
			err = s.Meanwhile(ctx)
		}
		return out, d, err
	}
}

// onOffer acts on an offer, and waits for the end of the local connection.
func onOffer(act func(ctx context.Context, sc *scene) error) play {
	return onScene(func(ctx context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error) {
		if err := act(ctx, sc); err != nil {
			return "", 0, err
		}
		return sc.localEnd(within)
	})
}

// onAdmitted acts on a trunk whose stream 1 was admitted.
func onAdmitted(act func(ctx context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error)) play {
	return onScene(func(ctx context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error) {
		if _, err := sc.admit(ctx); err != nil {
			return "", 0, err
		}
		return act(ctx, sc, within)
	})
}

// admitted sends bytes on a trunk whose stream 1 was admitted.
func admitted(b func() []byte) play {
	return ending(func(sc *scene) { speak.WriteAll(sc.trunk, b()) })
}

// ending acts on a trunk whose stream 1 was admitted, and waits for the end of the
// local connection.
func ending(act func(sc *scene)) play {
	return onAdmitted(func(_ context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error) {
		act(sc)
		return sc.localEnd(within)
	})
}

// settle sends a byte of an admitted stream 1 and waits for it: once it has come, so has
// the Verdict, which an end of the connection may else overtake.
func (sc *scene) settle() {
	speak.WriteAll(sc.trunk, speak.Ydata(1, speak.Edata(1)))
	sc.local.Read(make([]byte, 1))
}

// stallsHalfWay waits until the client leaves the trunk; its streams wait for another.
func stallsHalfWay(_ context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error) {
	sc.settle()
	sc.trunk.Stall()
	start := time.Now()
	sc.trunk.Await(0xff, within)
	if d := time.Since(start); d >= within {
		return "", d, errors.New("the client stays on the trunk")
	}
	return sc.localEnd(moment)
}

// unadmitted sends bytes on a trunk whose stream 1 waits for its Verdict.
func unadmitted(b func() []byte) play {
	return onOffer(func(ctx context.Context, sc *scene) error {
		_, err := sc.meet(ctx)
		if err == nil {
			speak.WriteAll(sc.trunk, b())
		}
		return err
	})
}

func hosts() []Behaviour {
	ok := func() []byte { return speak.Eframe(speak.EVerdict, speak.Words("ok", "", "")) }
	b := []Behaviour{
		{Name: "opens a stream", play: admitted(func() []byte { return speak.Yopen(2) })},
		{Name: "data before the VERDICT", play: unadmitted(func() []byte { return speak.Ydata(1, speak.Edata(5)) })},
		{Name: "FIN before the VERDICT", play: unadmitted(func() []byte { return speak.Ydata(1, speak.Eframe(speak.EFin, nil)) })},
		{Name: "ACK before the VERDICT", play: unadmitted(func() []byte { return speak.Ydata(1, speak.Ack(0, speak.MaxWindow)) })},
		{Name: "VERDICT twice", play: admitted(func() []byte { return speak.Ydata(1, ok()) })},
		{Name: "VERDICT with lines of a log", play: unadmitted(func() []byte { return speak.Ydata(1, speak.Eframe(speak.EVerdict, speak.Words("x", "a\nb", ""))) })},
		{Name: "VERDICT of an unknown code", play: unadmitted(func() []byte { return speak.Ydata(1, speak.Eframe(speak.EVerdict, speak.Words("gibberish", "no", ""))) })},
		{Name: "no VERDICT", Rests: true, Within: 23 * time.Second, play: pinging(false)},
		{Name: "data beyond the window", play: onAdmitted(hostBeyond)},
		{Name: "FIN twice", play: onAdmitted(finTwice)},
		{Name: "ACK beyond what was sent", play: admitted(func() []byte { return speak.Ydata(1, speak.Ack(1<<40, 1<<40+1)) })},
		{Name: "OPEN from a host", play: admitted(func() []byte { return speak.Ydata(1, speak.Open(speak.StreamID())) })},
		{Name: "ATTACH unasked", play: admitted(func() []byte { return speak.Ydata(1, speak.Attach(speak.StreamID(), 7)) })},
		{Name: "frame of 4 GiB from a host", play: admitted(func() []byte { return speak.Yframe(speak.YData, 0, 1, 1<<32-1, nil) })},
		{Name: "ping flood from a host", play: admitted(func() []byte { return bytes.Repeat(speak.Yframe(speak.YPing, speak.YSYN, 0, 1, nil), 100) })},
		{Name: "frame for a stream never opened", play: admitted(func() []byte { return speak.Ydata(9, speak.Edata(1)) })},
		{Name: "yamux RST in the middle", play: admitted(func() []byte { return speak.Yframe(speak.YWindow, speak.YRST, 1, 0, nil) })},
		{Name: "yamux FIN without a FIN", play: admitted(func() []byte { return speak.Yframe(speak.YWindow, speak.YFIN, 1, 0, nil) })},
		// Its streams wait for another trunk, so nothing breaks at the client.
		{Name: "TLS ends in order in the middle", Want: []Outcome{Borne}, play: ending(func(sc *scene) { sc.settle(); sc.trunk.Conn.(*tls.Conn).Close() })},
		{Name: "TCP ends in order in the middle", Want: []Outcome{Borne}, play: ending(func(sc *scene) { sc.settle(); sc.trunk.Raw().Close() })},
		// Its kernel acknowledges, so it is dead after a minute only (rule 18).
		{Name: "go-away, then silence", Want: []Outcome{Borne}, Rests: true, Within: 15 * time.Second, play: admitted(func() []byte { return speak.Yframe(speak.YGoAway, 0, 0, 0, nil) })},
		{Name: "frame that stalls half way, from a host", Want: []Outcome{Borne}, Rests: true, Within: 15 * time.Second, play: onAdmitted(stallsHalfWay)},
	}
	return ofHost(append(b, comings()...))
}

// ofHost fills in what all of them share.
func ofHost(b []Behaviour) []Behaviour {
	for i := range b {
		b[i].Actor, b[i].Victim = "host", TheClient
		if b[i].Want == nil {
			b[i].Want = []Outcome{Cut}
		}
	}
	return append(b, Behaviour{
		Name: "takes the stream and never reads", Actor: "host", Victim: TheClient, Want: []Outcome{Borne}, play: onAdmitted(hostNeverReads),
	})
}

// comings are hosts that do not come to an offer as they should.
func comings() []Behaviour {
	return []Behaviour{
		{Name: "never comes", Rests: true, Within: 20 * time.Second, play: onOffer(func(context.Context, *scene) error { return nil })},
		{Name: "says that it cannot come", play: onOffer(func(_ context.Context, sc *scene) error {
			sc.link.Say(speak.KindOfferFailed, speak.Object{"trunk": sc.offer.Get("trunk"), "reason": speak.Object{"code": "ticket-failed", "text": strings.Repeat("no\n", 500)}})
			return nil
		})},
		{Name: "comes and stalls", Rests: true, Within: 20 * time.Second, play: onOffer(func(ctx context.Context, sc *scene) error {
			_, err := sc.come(ctx, sc.offer.Get("label"))
			return err
		})},
		{Name: "comes with surplus bytes", play: onOffer(func(ctx context.Context, sc *scene) error {
			raw, err := sc.come(ctx, sc.offer.Get("label"))
			if err == nil {
				speak.WriteAll(raw, []byte("surplus"))
			}
			return err
		})},
		{Name: "comes with another key", play: onOffer(func(ctx context.Context, sc *scene) error {
			id, err := speak.NewIdentity()
			if err != nil {
				return err
			}
			t, err := sc.stage.Edge.Meet(ctx, id, sc.offer)
			if err == nil {
				sc.trunk = t
			}
			return nil
		})},
		{Name: "comes with the client's label", Rests: true, Within: 20 * time.Second, play: onOffer(func(ctx context.Context, sc *scene) error {
			_, err := sc.come(ctx, sc.offer.Get("client_label"))
			return err
		})},
		{Name: "joins itself with both labels", Rests: true, Within: 20 * time.Second, play: onOffer(bothLabels)},
	}
}

// pinging keeps a trunk alive and sends nothing else.
func pinging(admit bool) play {
	return onOffer(func(ctx context.Context, sc *scene) error {
		if _, err := sc.meet(ctx); err != nil {
			return err
		}
		go judgeTrunk(sc.trunk, time.Minute) // answers pings; ends with the trunk
		return nil
	})
}

// hostBeyond sends more than the client allowed.
func hostBeyond(_ context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error) {
	sc.data = make([]byte, 64<<20)
	for range 1000 {
		if speak.WriteAll(sc.trunk, speak.Ydata(1, speak.Edata(32<<10))) != nil {
			break
		}
	}
	return sc.localEnd(within)
}

// hostNeverReads admits and takes nothing: the local writer must be held back,
// not taken into memory.
func hostNeverReads(_ context.Context, sc *scene, _ time.Duration) (Outcome, time.Duration, error) {
	go judgeTrunk(sc.trunk, time.Minute) // answers pings, acknowledges nothing; ends with the trunk
	sc.local.SetWriteDeadline(time.Now().Add(1500 * time.Millisecond))
	start := time.Now()
	n, err := io.CopyN(sc.local, speak.Zeros{}, 256<<20)
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		return Cut, time.Since(start), fmt.Errorf("%d bytes taken: %w", n, err)
	}
	if n > 32<<20 {
		return Borne, time.Since(start), fmt.Errorf("%d bytes were taken that nobody allowed", n)
	}
	return Borne, time.Since(start), nil
}

// bothLabels takes both ends of a ticket before the client does.
func bothLabels(ctx context.Context, sc *scene) error {
	if _, err := sc.come(ctx, sc.offer.Get("label")); err != nil {
		return err
	}
	_, err := sc.come(ctx, sc.offer.Get("client_label"))
	return err
}

// finTwice ends its direction in order, and again: the first is an honest EOF,
// for the second the trunk must go.
func finTwice(_ context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error) {
	fin := speak.Eframe(speak.EFin, nil)
	speak.WriteAll(sc.trunk, speak.Ydata(1, append(fin, fin...)))
	return judgeTrunk(sc.trunk, within)
}
