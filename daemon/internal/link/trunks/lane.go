package trunks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// What makes a stream bulk, and quiet again (docs/decisions/0030-lanes.md has the
// figures).
const (
	// bulkAfter is what a stream carries, both ways together, within bulkWithin
	// before it is looked at.
	bulkAfter  = 256 << 10
	bulkWithin = 2 * time.Second
	// bulkLook is how long it is looked at then, and bulkMore what it must carry
	// meanwhile, about 10 Mbit/s: what is slower holds nobody up for long, and what
	// ends by then is not worth a connection.
	bulkLook = 50 * time.Millisecond
	bulkMore = 64 << 10
	// bulkAgain is what a stream carries before a lane is tried again that was not to
	// be had.
	bulkAgain = 64 << 20
	// laneEvery is how often a trunk gets a lane once it has had MaxLanes at once:
	// many short transfers in a row are not worth a connection each.
	laneEvery   = 500 * time.Millisecond
	maxLaneKeys = 1 << 10
	// crowd is how many bulk streams may stay on a trunk that has MaxLanes: more would
	// share what each lane has alone. Then all of them share the trunk, and for
	// crowdLasts there are no lanes.
	crowd      = 3
	crowdLasts = 30 * time.Second
	// laneLeast is what a stream must carry within LaneQuiet to keep its lane.
	laneLeast = 1 << 20
)

// LaneQuiet is after which time a lane is looked at whether it is still needed.
const LaneQuiet = 30 * time.Second

// errNoLane: there is no lane for the stream now.
var errNoLane = errors.New("no lane to be had")

// carried is how much payload a stream has carried both ways.
func carried(s *wire.Stream) uint64 {
	sent, received := s.Counters()
	return sent + received
}

// watchBulk looks at a stream again when it has carried more bytes; 0 is bulkAfter.
func (p *Pool) watchBulk(s *wire.Stream, more uint64) {
	began, now := time.Now(), carried(s)
	s.NotifyAt(now+max(more, bulkAfter), func() {
		p.cfg.Go(func(ctx context.Context) { p.weigh(ctx, s, began, more) })
	})
}

// weigh gives a stream that proves to be bulk a lane of its own.
func (p *Pool) weigh(ctx context.Context, s *wire.Stream, began time.Time, more uint64) {
	if time.Since(began) > bulkWithin && more == 0 {
		p.watchBulk(s, 0)
		return
	}
	before := carried(s)
	select {
	case <-time.After(bulkLook):
	case <-s.Done():
		return
	case <-ctx.Done():
		return
	}
	if carried(s)-before < bulkMore {
		p.watchBulk(s, 0)
		return
	}
	lane, err := p.toLane(ctx, s)
	if err != nil {
		p.cfg.Log.Debug("stream stays on its trunk", "stream", s.ID(), "err", err)
		p.watchBulk(s, bulkAgain)
		return
	}
	p.cfg.Log.Debug("stream moved to a lane", "stream", s.ID(), "lane", lane.id)
	p.watchQuiet(ctx, lane, s)
}

// toLane makes a lane, and has a stream go on with it. The stream goes on with its
// trunk until the lane is there.
func (p *Pool) toLane(ctx context.Context, s *wire.Stream) (*trunk, error) {
	lane, err := p.newLane(s)
	if err != nil {
		return nil, err
	}
	select {
	case <-lane.ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if lane.err != nil {
		p.refusedLane(s, lane.err)
		return nil, lane.err
	}
	if err := p.take(ctx, lane, s); err != nil {
		lane.wire.CloseWith(nil)
		return nil, err
	}
	return lane, nil
}

// newLane begins a lane beside the trunk of a stream, if that may have one more.
func (p *Pool) newLane(s *wire.Stream) (*trunk, error) {
	_, tr := p.find(s.ID())
	p.mu.Lock()
	defer p.mu.Unlock()
	if tr == nil || tr.lane || tr.lost || tr.noLanes || tr.ended != nil {
		return nil, errNoLane
	}
	now := time.Now()
	if tr.crowdedLocked(now) {
		return nil, fmt.Errorf("%w: too many would have one", errNoLane)
	}
	lanes := p.lanesLocked(tr)
	if len(lanes) >= wire.MaxLanes {
		if !p.left.Take(tr.key, now) {
			tr.crowded = now.Add(crowdLasts)
			p.cfg.Go(func(ctx context.Context) { p.leaveAll(ctx, lanes) })
		}
		return nil, fmt.Errorf("%w: the trunk has %d", errNoLane, len(lanes))
	}
	if !p.lanes.Take(tr.key, now) {
		return nil, fmt.Errorf("%w: the trunk had many just now", errNoLane)
	}
	lane := newTrunk(tr.key)
	lane.lane, lane.retired = true, true // no stream is opened on it
	lane.want = &wire.HostProcess{Key: tr.host.Key, BootID: tr.host.BootID}
	if !p.cfg.Go(func(ctx context.Context) { p.keep(ctx, lane) }) {
		return nil, ErrStopped
	}
	p.all[lane] = struct{}{}
	return lane, nil
}

// lanesLocked are the lanes beside a trunk.
func (p *Pool) lanesLocked(tr *trunk) (lanes []*trunk) {
	for x := range p.all {
		if x.lane && x.key == tr.key {
			lanes = append(lanes, x)
		}
	}
	return lanes
}

// crowdedLocked says whether too many streams of a trunk would have a lane.
func (tr *trunk) crowdedLocked(now time.Time) bool { return now.Before(tr.crowded) }

func (p *Pool) isCrowded(tr *trunk) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return tr.crowdedLocked(time.Now())
}

// leaveAll has the streams of lanes go back to their trunk.
func (p *Pool) leaveAll(ctx context.Context, lanes []*trunk) {
	for _, lane := range lanes {
		select {
		case <-lane.ready:
		case <-ctx.Done():
			return
		}
		if lane.err == nil {
			err := p.goOn(ctx, lane)
			p.cfg.Log.Debug("lane left: too many would have one", "lane", lane.id, "err", err)
		}
	}
}

// refusedLane notes that lanes are not to be had at all.
func (p *Pool) refusedLane(s *wire.Stream, err error) {
	if !errors.Is(err, &wire.Reason{Code: wire.CodeInvalid}) {
		return
	}
	_, tr := p.find(s.ID())
	p.mu.Lock()
	defer p.mu.Unlock()
	if tr != nil {
		tr.noLanes = true
	}
}

// take has a stream go on with a lane. It belongs to the lane from before the edge
// is asked, so that a denial finds it there; and the edge is asked only once the lane
// has it, since the edge's row goes with the grant. On an error it is where it was.
func (p *Pool) take(ctx context.Context, lane *trunk, s *wire.Stream) error {
	link, _, err := p.cfg.Online(ctx)
	if err != nil {
		return err
	}
	_, tr := p.find(s.ID())
	if tr == nil || p.isCrowded(tr) || !p.move(tr, lane, s) {
		return errNoLane
	}
	if err := lane.wire.Attach(ctx, s); err != nil {
		p.move(lane, tr, s)
		return fmt.Errorf("move to a lane: %w", err)
	}
	err = link.Send(&wire.Resume{Trunk: lane.id, Streams: []wire.ResumeStream{{Stream: s.ID(), Trace: s.Trace(), From: tr.id}}})
	if err != nil {
		lane.wire.Lose(err) // no grant can come; the stream goes on from there
	}
	return nil
}

// watchQuiet has the stream of a lane go back to a trunk when it has become quiet.
// It returns when the lane is over.
func (p *Pool) watchQuiet(ctx context.Context, lane *trunk, s *wire.Stream) {
	ticker := time.NewTicker(p.cfg.LaneQuiet)
	defer ticker.Stop()
	for last := carried(s); ; {
		select {
		case <-ticker.C:
		case <-lane.wire.Done():
			p.watchBulk(s, 0) // where it goes on elsewhere
			return
		case <-ctx.Done():
			return
		}
		now := carried(s)
		if now-last < laneLeast {
			err := p.goOn(ctx, lane)
			p.cfg.Log.Debug("stream leaves its lane", "stream", s.ID(), "lane", lane.id, "err", err)
		}
		last = now
	}
}
