package connector

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/wire"
)

const (
	// maxWaiting bounds the Opens of one trunk that wait for their grant. A
	// client has wire.MaxUngranted at once, but the end of one that was denied
	// on its link may arrive after the Open that took its place.
	maxWaiting = 2 * wire.MaxUngranted
	// maxEarlyGrants bounds the grants of one trunk that wait for their Open: what
	// a client has decided for nothing the edge is to hear of soon.
	maxEarlyGrants = maxWaiting
	// maxGone bounds the Opens of one trunk that are known to have been reset: as
	// many as can be under way between a client, the edge and here.
	maxGone = 1 << 10
)

// trunk is one trunk of a host, from its offer on. Its fields are guarded by
// Connector.mu, but for those that never change.
type trunk struct {
	offer *wire.Offer // never changes
	link  *wire.Link  // the instance that brought it; never changes
	// orphaned is closed when that instance is gone: no grant can come.
	orphaned chan struct{}
	// ctx ends with the trunk; its cause is a *wire.Reason where one was told.
	ctx    context.Context
	cancel context.CancelCauseFunc
	// streams are those that it carries, or carried last.
	streams  map[wire.StreamID]*stream
	knocks   map[wire.StreamID]*knock
	waiting  int // streams and knocks without grant
	early    map[wire.StreamID]*earlyGrant
	gone     map[wire.StreamID]struct{} // reset before their grant
	deadline *time.Timer                // runs while the host has no link
	wire     *wire.Trunk                // nil until it is met

	// budget is that of the session, of all its trunks and lanes; never changes.
	budget *wire.Budget
	// window is how long its streams wait for another when it is lost; never changes.
	window time.Duration
	// lost is closed, and until set, when it has ended. What is in streams then
	// waits until until.
	lost  chan struct{}
	until time.Time
	swept bool // until is over
	left  bool // it is a lane, and its stream left it in order
}

// earlyGrant is a grant whose Open has not come.
type earlyGrant struct {
	grant *wire.Grant
	timer *time.Timer
}

// end ends the trunk for a reason; the first stays.
func (t *trunk) end(r *wire.Reason) { t.cancel(r) }

// lose ends the trunk so that its streams may go on with another.
func (t *trunk) lose() {
	if t.window > 0 {
		t.cancel(errLinkGone)
		return
	}
	t.end(&wire.Reason{Code: wire.CodeConnectorLost, Text: errLinkGone.Error()})
}

// close ends the connection of a trunk that was ended.
func (t *trunk) close(w *wire.Trunk) {
	if cause := context.Cause(t.ctx); errors.Is(cause, errLinkGone) {
		w.Lose(cause)
	} else {
		w.CloseWith(reasonOf(cause))
	}
}

func (t *trunk) isLost() bool {
	select {
	case <-t.lost:
		return true
	default:
		return false
	}
}

func (t *trunk) listLocked() []*stream {
	all := make([]*stream, 0, len(t.streams))
	for _, s := range t.streams {
		all = append(all, s)
	}
	return all
}

func (t *trunk) isOrphan() bool {
	select {
	case <-t.orphaned:
		return true
	default:
		return false
	}
}

// orphanLocked ends everything that waits for the instance of the offer.
func (t *trunk) orphanLocked() {
	if !t.isOrphan() {
		close(t.orphaned)
	}
	for id := range t.early {
		t.dropGrantLocked(id)
	}
}

func (t *trunk) dropGrantLocked(id wire.StreamID) *wire.Grant {
	e := t.early[id]
	if e == nil {
		return nil
	}
	e.timer.Stop()
	delete(t.early, id)
	return e.grant
}

// offer begins a trunk; the reason says why not.
func (c *Connector) offer(l *wire.Link, m *wire.Offer) *wire.Reason {
	window := min(c.cfg.ResumeWindow, time.Duration(m.ResumeMS)*time.Millisecond)
	switch {
	case m.Carrier != wire.CarrierTrunk && m.Carrier != wire.CarrierLane:
		return &wire.Reason{Code: wire.CodeInvalid, Text: "this host carries trunks and lanes only"}
	case m.Carrier == wire.CarrierLane && window == 0:
		return &wire.Reason{Code: wire.CodeInvalid, Text: "this host lets no stream go on elsewhere"}
	}
	select {
	case c.meeting <- struct{}{}:
	default:
		return &wire.Reason{Code: wire.CodeLimit, Text: "too many trunks are being met"}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	t := &trunk{
		offer: m, link: l, orphaned: make(chan struct{}), ctx: ctx, cancel: cancel,
		streams: make(map[wire.StreamID]*stream), knocks: make(map[wire.StreamID]*knock), early: make(map[wire.StreamID]*earlyGrant),
		gone:   make(map[wire.StreamID]struct{}),
		window: window, lost: make(chan struct{}),
	}
	c.mu.Lock()
	t.budget = c.budgetLocked(m.Session)
	_, known := c.trunks[m.Trunk]
	if !known {
		c.trunks[m.Trunk] = t
	}
	c.mu.Unlock()
	if known || !c.tasks.Run(func(ctx context.Context) { c.keep(ctx, t) }) {
		<-c.meeting
		cancel(nil)
		if known {
			return &wire.Reason{Code: wire.CodeProtocol, Text: "the trunk is known already"}
		}
		c.remove(t)
		return &wire.Reason{Code: wire.CodeConnectorLost, Text: "the host's daemon is stopping"}
	}
	return nil
}

// budgetLocked is the budget of a session: that of its trunks, for as long as there is
// one with a stream.
func (c *Connector) budgetLocked(session string) *wire.Budget {
	for _, t := range c.trunks {
		if t.offer.Session == session {
			return t.budget
		}
	}
	return wire.NewBudget()
}

// keep meets the client and serves the trunk until its end.
func (c *Connector) keep(ctx context.Context, t *trunk) {
	defer c.remove(t)
	stop := context.AfterFunc(ctx, func() {
		t.end(errStopped)
	})
	defer stop()
	log := c.log.With("trunk", t.offer.Trunk, "carrier", t.offer.Carrier, "hostname", t.offer.Hostname, "session", t.offer.Session)
	w, err := c.meet(t)
	<-c.meeting
	if err != nil {
		log.Warn("trunk not met", "err", err)
		t.link.Send(&wire.OfferFailed{Trunk: t.offer.Trunk, Reason: wire.Reason{Code: wire.CodeTicketFailed, Text: "the host could not come: " + err.Error()}})
		return
	}
	c.met(t, w)
	log.Info("trunk open", "person", t.offer.Person.Email, "fingerprint", w.Fingerprint())
	closing := context.AfterFunc(t.ctx, func() { t.close(w) })
	defer closing()
	for {
		s, err := w.Accept(t.ctx)
		if err != nil {
			break
		}
		if s.Knocks() {
			c.attach(t, s)
		} else {
			c.accept(t, s)
		}
	}
	<-w.Done()
	log.Info("trunk closed", "err", w.Err())
	c.park(t, w)
}

func (c *Connector) meet(t *trunk) (*wire.Trunk, error) {
	ctx, cancel := context.WithTimeout(t.ctx, c.timing.Meet)
	defer cancel()
	raw, edgeName, err := c.cfg.Dial(ctx, t.offer.EdgeID, t.offer.Label)
	if err != nil {
		return nil, err
	}
	return wire.AcceptTrunk(ctx, raw, t.offer.Label.ServerName(edgeName), wire.TrunkConfig{
		ID: t.offer.Trunk, Cert: c.cfg.Cert, PeerKey: t.offer.ClientKey,
		ServerName: t.offer.ClientLabel.ServerName(edgeName), Carrier: t.offer.Carrier, Resume: t.window > 0, Budget: t.budget, Log: c.log,
	})
}

// remove forgets a trunk that has ended, once nothing is parked from it. Grants
// that wait for an Open of it are reported.
func (c *Connector) remove(t *trunk) {
	t.cancel(nil)
	c.mu.Lock()
	if !t.isLost() {
		t.until = time.Now() // it was never met
		close(t.lost)
	}
	c.emptyLocked(t)
	if t.deadline != nil {
		t.deadline.Stop()
	}
	var left []*wire.Grant
	for id := range t.early {
		left = append(left, t.dropGrantLocked(id))
	}
	c.mu.Unlock()
	for _, g := range left {
		c.neverOpened(g)
	}
}

// emptyLocked forgets a lost trunk that has no streams any more.
func (c *Connector) emptyLocked(t *trunk) {
	if t.isLost() && len(t.streams) == 0 {
		delete(c.trunks, t.offer.Trunk)
	}
}

// neverOpened reports a grant that nothing came of. Of a stream that is held the
// edge hears only when it ends: it may go on with the next trunk.
func (c *Connector) neverOpened(g *wire.Grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.neverOpenedLocked(g)
}

func (c *Connector) neverOpenedLocked(g *wire.Grant) {
	if c.held[g.Stream] == nil {
		c.report(&wire.StreamEnded{Trunk: g.Trunk, Stream: g.Stream, Code: wire.CodeNeverOpened}) // it does not block
	}
}

// grant gives the edge's word to the stream it is for, now or when its Open
// comes. A word that is not used is said why.
func (c *Connector) grant(l *wire.Link, g *wire.Grant) (why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.trunks[g.Trunk]
	switch {
	case t == nil:
		c.neverOpenedLocked(g)
		return "no such trunk"
	case t.link != l:
		return "the trunk is of another instance of the link"
	case g.Hostname != t.offer.Hostname:
		return "the trunk is for another hostname"
	case t.early[g.Stream] != nil:
		return "granted already"
	}
	if t.wasGoneLocked(g.Stream) {
		c.neverOpenedLocked(g) // now: the edge counts what a client has it decide for nothing
		return ""
	}
	held := c.held[g.Stream]
	s, k := t.streams[g.Stream], t.knocks[g.Stream]
	if s == held {
		s = nil // it has its grant, and may have left for a lane that was lost
	}
	switch {
	case held != nil && !g.Resumes:
		return "granted already"
	case s != nil && g.Resumes || k != nil && !g.Resumes:
		return "it is for the other kind of beginning"
	case s != nil:
		s.grantLocked(g)
		c.held[g.Stream] = s
		return ""
	case k != nil:
		if !k.grantLocked(g) {
			return "granted already"
		}
		return ""
	case held == nil && len(t.early) >= maxEarlyGrants: // what is held is bounded by itself
		c.neverOpenedLocked(g)
		return "too many grants without Open"
	}
	e := &earlyGrant{grant: g}
	wait := c.timing.Grant
	if held != nil {
		wait = c.timing.Attach
	}
	e.timer = time.AfterFunc(wait, func() { c.lapse(t, e) })
	t.early[g.Stream] = e
	return ""
}

// goneLocked notes an Open that was reset before its grant.
func (t *trunk) goneLocked(id wire.StreamID) {
	if len(t.gone) >= maxGone {
		clear(t.gone) // their grants lapse
	}
	t.gone[id] = struct{}{}
}

func (t *trunk) wasGoneLocked(id wire.StreamID) bool {
	_, was := t.gone[id]
	delete(t.gone, id)
	return was
}

// lapse ends the wait of a grant for its Open.
func (c *Connector) lapse(t *trunk, e *earlyGrant) {
	c.mu.Lock()
	waits := t.early[e.grant.Stream] == e
	if waits {
		delete(t.early, e.grant.Stream)
	}
	c.mu.Unlock()
	if waits {
		c.unused(e.grant, "its Open did not come")
		c.neverOpened(e.grant)
	}
}

// unusedEvery bounds how often grants that are not used are logged: it is the
// client and the edge that decide how many there are.
const unusedEvery = time.Second

// unused logs a grant that was not used.
func (c *Connector) unused(g *wire.Grant, why string) {
	now := time.Now()
	c.mu.Lock()
	more, tell := c.silent, now.Sub(c.told) >= unusedEvery
	if tell {
		c.told, c.silent = now, 0
	} else {
		c.silent++
	}
	c.mu.Unlock()
	if tell {
		c.log.Warn("grant not used", "trunk", g.Trunk, "stream", g.Stream, "why", why, "more", more)
	}
}
