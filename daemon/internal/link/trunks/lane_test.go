package trunks

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
	wiretrunk "github.com/sallyport/sallyport/wire/trunk"
)

// onTrunk is a pool with a stream on a trunk, and a link whose messages come out of
// asked.
func onTrunk(t *testing.T) (p *Pool, tr *trunk, s *wire.Stream, asked <-chan wire.Message) {
	t.Helper()
	w := liveTrunk(t)
	s, err := w.Open(t.Context(), wire.NewStreamID(), wire.NewTraceID(), false)
	if err == nil {
		err = s.Verdict(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	link, edge := wire.NewLink(near), wire.NewLink(far)
	got, done := make(chan wire.Message, 16), make(chan struct{}, 2)
	go func() { link.Run(context.Background(), func(uint32, wire.Message) {}); done <- struct{}{} }()
	go func() {
		edge.Run(context.Background(), func(_ uint32, m wire.Message) { got <- m })
		done <- struct{}{}
	}()
	t.Cleanup(func() { link.Close(); edge.Close(); <-done; <-done })
	p = New(Config{
		Log:     slog.New(slog.DiscardHandler),
		Online:  func(context.Context) (*wire.Link, context.Context, error) { return link, t.Context(), nil },
		Changed: func() {},
	})
	tr = newTrunk(trunkKey{"ses_1", "tcp.site.com"})
	p.ready(tr, w)
	tr.streams[s.ID()] = s
	return p, tr, s, got
}

// ready puts a trunk or lane into the pool.
func (p *Pool) ready(tr *trunk, w *wire.Trunk) {
	tr.wire, tr.id, tr.window = w, wire.NewTrunkID(), time.Minute
	p.all[tr] = struct{}{}
	close(tr.ready)
}

// liveTrunk is the client's end of a trunk whose host admits everything.
func liveTrunk(t *testing.T) *wire.Trunk {
	t.Helper()
	near, far := net.Pipe()
	client, err := wiretrunk.Client(near, near, wiretrunk.Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	host, err := wiretrunk.Host(far, far, wiretrunk.Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the trunk
		for {
			s, err := host.Accept(context.Background())
			if err != nil {
				return
			}
			s.Admit()
		}
	}()
	t.Cleanup(func() { client.CloseWith(nil); <-client.Done(); host.CloseWith(nil); <-host.Done() })
	return client
}

// The edge is asked only for what the lane has taken: else its row would follow a
// stream that stays where it is.
func TestLaneThatTakesNothingIsNotAskedFor(t *testing.T) {
	t.Parallel()
	p, tr, s, asked := onTrunk(t)
	lane := newTrunk(tr.key)
	lane.lane = true
	p.ready(lane, liveTrunk(t))
	lane.wire.CloseWith(nil)
	<-lane.wire.Done()
	if err := p.take(t.Context(), lane, s); err == nil || errors.Is(err, errNoLane) {
		t.Errorf("taken: %v", err)
	}
	link, _, _ := p.cfg.Online(t.Context())
	link.Send(&wire.Logout{}) // after whatever was sent
	if m, ok := (<-asked).(*wire.Resume); ok {
		t.Errorf("asked for %+v", m)
	}
	if _, at := p.find(s.ID()); at != tr || s.Err() != nil || !s.Parked().IsZero() {
		t.Errorf("the stream is not on its trunk: %v", s.Err())
	}
}

// A lane without a stream is not idle: its stream is on the way.
func TestSweepSparesLanes(t *testing.T) {
	t.Parallel()
	p, tr, _, _ := onTrunk(t)
	lane, old := newTrunk(tr.key), newTrunk(tr.key)
	lane.lane, lane.retired, old.retired = true, true, true
	p.ready(lane, liveTrunk(t))
	p.ready(old, liveTrunk(t))
	p.Sweep(time.Now(), time.Hour)
	if lane.wire.Err() != nil || old.wire.Err() == nil || tr.wire.Err() != nil {
		t.Errorf("lane %v, retired %v, trunk %v", lane.wire.Err(), old.wire.Err(), tr.wire.Err())
	}
}

// Where many more streams are bulk than may have lanes, those that have one go back:
// each would have as much as all that stay on the trunk together.
func TestCrowdHasNoLanes(t *testing.T) {
	t.Parallel()
	p, tr, s, _ := onTrunk(t)
	begun := 0
	p.cfg.Go = func(func(context.Context)) bool { begun++; return true }
	var lanes []*trunk
	for range wire.MaxLanes {
		lane := newTrunk(tr.key)
		lane.lane = true
		p.all[lane] = struct{}{}
		lanes = append(lanes, lane)
	}
	for i := range crowd + 1 {
		if p.isCrowded(tr) {
			t.Fatalf("a crowd of %d", i)
		}
		if _, err := p.newLane(s); !errors.Is(err, errNoLane) {
			t.Fatalf("a lane beyond the most: %v", err)
		}
	}
	if !p.isCrowded(tr) || begun != 1 {
		t.Fatalf("crowded %v, %d times were lanes left", p.isCrowded(tr), begun)
	}
	for _, lane := range lanes {
		delete(p.all, lane)
	}
	if _, err := p.newLane(s); !errors.Is(err, errNoLane) {
		t.Errorf("a lane in a crowd: %v", err)
	}
	tr.crowded = time.Now().Add(-time.Second)
	if _, err := p.newLane(s); err != nil || begun != 2 {
		t.Errorf("after the crowd: %v", err)
	}
}
