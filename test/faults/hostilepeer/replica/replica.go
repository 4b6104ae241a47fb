// Package replica is an honest host, spoken by hand, that publishes what a hostile
// one does.
//
// Concurrency: Start starts what Close joins.
package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// greeting is what an honest replica says to each connection.
const greeting = "the honest one"

// Replica is one that is up.
type Replica struct {
	stage *hostilepeer.Stage
	id    *speak.Identity
	link  *speak.Link
	wg    sync.WaitGroup
}

// Start enrols one and has it publish what the stage's hostile host does.
func Start(ctx context.Context, s *hostilepeer.Stage) (*Replica, error) {
	id, err := speak.NewIdentity()
	if err != nil {
		return nil, err
	}
	token, err := s.Token(ctx)
	if err != nil {
		return nil, err
	}
	if err := speak.Enrol(ctx, s.Edge, id, token); err != nil {
		return nil, err
	}
	l, err := speak.OpenHost(ctx, s.Edge, id, s.Evil)
	if err != nil {
		return nil, err
	}
	r := &Replica{stage: s, id: id, link: l}
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
		t, err := r.stage.Edge.Meet(ctx, r.id, offer)
		if err != nil {
			continue
		}
		r.wg.Go(func() { // ends with a connection of Greeted, which ends its trunk
			defer t.Close()
			e, err := t.Await(speak.EOpen, 10*time.Second)
			if err != nil {
				return
			}
			hello := speak.Admit()
			hello = append(hello, speak.Eframe(speak.EData, []byte(greeting))...)
			speak.WriteAll(t, speak.Yframe(speak.YWindow, speak.YACK, e.Stream, speak.YamuxWindow-speak.YamuxFirst, nil))
			speak.WriteAll(t, speak.Ydata(e.Stream, hello))
			t.Await(speak.ERst, 10*time.Second)
		})
	}
}

// Greeted connects as the honest client does, and says whether the replica answered,
// within a time; what anybody else says is an error of its own.
func (r *Replica) Greeted(ctx context.Context, within time.Duration) (bool, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", r.stage.Forward)
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
