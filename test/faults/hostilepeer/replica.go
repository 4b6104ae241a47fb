package hostilepeer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// greeting is what an honest replica says to each connection.
const greeting = "the honest one"

// Replica is an honest host by hand that publishes Evil beside the hostile one.
type Replica struct {
	stage *Stage
	link  *speak.Link
	wg    sync.WaitGroup
}

// Replica brings one up; Close ends it.
func (s *Stage) Replica(ctx context.Context) (*Replica, error) {
	l, err := s.linkOfHost(ctx, s.honest)
	if err != nil {
		return nil, err
	}
	r := &Replica{stage: s, link: l}
	r.wg.Go(func() { r.serve(ctx) })
	return r, nil
}

// Close ends the replica.
func (r *Replica) Close() {
	r.link.Close()
	r.wg.Wait()
}

func (r *Replica) serve(ctx context.Context) {
	for {
		offer, err := r.link.AwaitKind(speak.KindOffer, time.Minute)
		if err != nil {
			return
		}
		t, err := r.stage.Edge.Meet(ctx, r.stage.honest, offer)
		if err != nil {
			continue
		}
		r.wg.Go(func() { // ends with a connection of Use, which ends its trunk
			defer t.Close()
			e, err := t.Await(speak.EOpen, 10*time.Second)
			if err != nil {
				return
			}
			hello := speak.Eframe(speak.EVerdict, speak.Words("ok", "", ""))
			hello = append(hello, speak.Eframe(speak.EData, []byte(greeting))...)
			speak.WriteAll(t, speak.Yframe(speak.YWindow, speak.YACK, e.Stream, speak.YamuxWindow-speak.YamuxFirst, nil))
			speak.WriteAll(t, speak.Ydata(e.Stream, hello))
			t.Await(speak.ERst, 10*time.Second)
		})
	}
}

// Greeted connects to Evil, and says whether it was the replica that answered,
// within a time; what anybody else says is an error of its own.
func (s *Stage) Greeted(ctx context.Context, within time.Duration) (bool, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", s.Forward)
	if err != nil {
		return false, err
	}
	defer c.Close()
	c.(*net.TCPConn).SetLinger(0)
	c.SetReadDeadline(time.Now().Add(within))
	b := make([]byte, len(greeting))
	n, err := io.ReadFull(c, b)
	var ne net.Error
	switch {
	case string(b[:n]) != greeting[:n]:
		return false, fmt.Errorf("%w: %q", ErrWrongHost, b[:n])
	case errors.As(err, &ne) && ne.Timeout():
		return false, fmt.Errorf("neither an error nor an answer in %s", within)
	}
	return err == nil, nil
}

// ErrWrongHost: bytes came that are not the replica's.
var ErrWrongHost = errors.New("another host has answered")
