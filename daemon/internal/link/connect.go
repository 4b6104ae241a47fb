package link

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/dial"
	"github.com/sallyport/sallyport/internal/backoff"
	"github.com/sallyport/sallyport/wire"
)

const (
	// lasting is how long a link has to hold before its loss counts as a first
	// one: an edge that accepts and drops is not asked twice a second.
	lasting = 5 * time.Second
	// retryWaiting bounds the wait for the next try while there are streams, and for
	// retrySoon after the loss of a link that had lasted: an edge that is restarted is
	// away for seconds.
	retryWaiting = 2 * time.Second
	retrySoon    = 15 * time.Second
	// maxRetryAfter bounds what an edge may ask for.
	maxRetryAfter = 5 * time.Minute
	// hanging is how long an attempt may last after which a change here gives it
	// up; a burst of changes shall not begin it anew each time.
	hanging = 2 * time.Second
)

// errMute ends an instance that shows no life after a change here.
var errMute = fmt.Errorf("no answer after a change of this machine's network: %w", wire.ErrLinkDead)

// errUnneeded ends an instance that nothing needs.
var errUnneeded = errors.New("nothing needs the link")

// instance is one connection that reached its welcome.
type instance struct {
	*wire.Link
	// ctx ends with the instance.
	ctx      context.Context
	edgeID   string
	edgeName string
	// form is how it travels.
	form dial.Form
	// signedOut: somebody signed out while the edge was away. logout is the
	// session that is to be ended for it; "" where it has ended already.
	signedOut bool
	logout    string
	// ready is closed when the next session token is stored: nothing that the
	// edge says is taken before.
	ready chan struct{}
}

// keep connects, for ever, until ctx ends.
func (l *Link) keep(ctx context.Context) {
	defer l.step(eventStop, nil)
	b := backoff.Backoff{First: l.timing.RetryFirst, Min: l.timing.RetryMin}
	var lost time.Time // the last link that had lasted
	l.step(eventNeed, nil)
	for ctx.Err() == nil {
		lasted, err := l.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errUnneeded):
			l.step(eventUnneeded, nil)
			select {
			case <-l.poked:
				l.step(eventNeed, nil)
			case <-ctx.Done():
			}
		default:
			if lasted >= lasting {
				b.Reset()
				lost = l.now()
			}
			b.Max = l.retryMax(l.now().Sub(lost))
			wait := max(b.Next(), retryAfter(err))
			if errors.Is(err, errMute) || errors.Is(err, context.Canceled) {
				wait = 0 // rule 9: what happened here is nobody else's haste
			}
			l.pause(ctx, err, wait, &b)
		}
	}
}

// retryMax bounds the waits between tries, so long after a loss: closely at first, and
// while there are streams, whose applications wait, and of which only a link tells that
// one may not be any more.
func (l *Link) retryMax(since time.Duration) time.Duration {
	bound := cmp.Or(l.timing.RetryMax, backoff.DefaultMax)
	if since < retrySoon || len(l.streams()) > 0 {
		bound = min(bound, retryWaiting)
	}
	return bound
}

// pause waits for the next try.
func (l *Link) pause(ctx context.Context, err error, wait time.Duration, b *backoff.Backoff) {
	at := l.now().Add(wait)
	e := eventFailed
	if l.Snapshot().Link.State == api.LinkOnline {
		e = eventLost
	}
	l.step(e, func(f *facts) {
		f.retryAt = at
		if !errors.Is(err, context.Canceled) { // else Wake gave the attempt up, which says nothing
			f.problem = ProblemOf(err)
		}
	})
	l.log.Warn("link down", "err", err, "retry_in", wait.Round(time.Millisecond))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		l.step(eventDue, nil)
	case <-l.poked:
		b.Reset()
		l.step(eventWake, nil)
	case <-ctx.Done():
	}
}

// retryAfter is what the edge asks for in a refusal.
func retryAfter(err error) time.Duration {
	var f *wire.Failure
	if !errors.As(err, &f) || f.RetryAfterMS <= 0 {
		return 0
	}
	if f.RetryAfterMS > maxRetryAfter.Milliseconds() {
		return maxRetryAfter
	}
	return time.Duration(f.RetryAfterMS) * time.Millisecond
}

// connect makes one instance and serves it until it ends; lasted is how long
// it was online.
func (l *Link) connect(ctx context.Context) (lasted time.Duration, err error) {
	select {
	case <-l.poked: // what asked for this attempt
	default:
	}
	began := time.Now()
	conn, form, err := l.dial(ctx)
	if err != nil {
		return 0, err
	}
	if form != dial.FormDirect {
		began = time.Now() // the direct attempt has used its share
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	inst := &instance{Link: wire.NewLink(conn), ctx: ctx, form: form, ready: make(chan struct{})}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		inst.Run(ctx, func(req uint32, m wire.Message) { l.handle(inst, req, m) })
		cancel()
	})
	if err := l.greet(ctx, inst, l.timing.Hello-time.Since(began)); err != nil {
		if gone := inst.Err(); gone != nil {
			err = gone // the context has ended with the link, which knows why
		}
		inst.CloseWith(err)
		return 0, &dial.Error{Stage: dial.StageHello, Target: l.cfg.Edge, Err: err}
	}
	online := time.Now()
	l.enter(inst)
	wg.Go(func() { l.deliverLogout(ctx, inst) })
	wg.Go(func() { l.reports.send(ctx, inst) })
	if l.cfg.Role == wire.RoleHost {
		wg.Go(func() { l.registerLoop(ctx, inst) })
	}
	<-inst.Done()
	l.leave(inst)
	return time.Since(online), inst.Err()
}

// dial reaches the edge, unless Wake gives the attempt up.
func (l *Link) dial(ctx context.Context) (*tls.Conn, dial.Form, error) {
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	at := &dialling{since: time.Now(), abort: abort}
	set := func(d *dialling) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.dialling = d
	}
	set(at)
	defer set(nil)
	return l.dialer.Link(ctx, l.cfg.Cert, l.timing.Dial)
}

// greet exchanges hello and welcome, and stores the next token.
func (l *Link) greet(ctx context.Context, inst *instance, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	token, logout := l.helloToken()
	first, rest := split(l.streams())
	more := len(rest) > 0 && !logout
	answer, err := inst.Call(ctx, &wire.Hello{
		Versions: []int{wire.Version}, Role: l.cfg.Role, BootID: l.cfg.BootID,
		DeviceName: l.cfg.DeviceName, OSUser: l.cfg.OSUser, OS: runtime.GOOS, Arch: runtime.GOARCH,
		DaemonVersion: l.cfg.Version, SessionToken: token, Streams: first, More: more,
	})
	if err != nil {
		return err
	}
	w, ok := answer.(*wire.Welcome)
	if !ok {
		return fmt.Errorf("answer %T to hello", answer)
	}
	if w.Version != wire.Version {
		return &api.Problem{
			Code: api.CodeEdgeProtocol, Title: "The edge speaks another version of the protocol",
			Detail: fmt.Sprintf("edge %d, daemon %d", w.Version, wire.Version), Hint: "Upgrade the older of the two.",
		}
	}
	inst.edgeID, inst.edgeName = w.EdgeID, w.EdgeName
	if inst.edgeName == "" {
		inst.edgeName = l.cfg.Edge.Name
	}
	if !logout {
		if err := l.acceptWelcome(token, w); err != nil {
			return err
		}
		return list(ctx, inst, rest)
	}
	inst.signedOut = true
	if w.Session != nil {
		inst.logout = w.Session.ID
		l.update(func(f *facts) { f.logout = w.SessionToken }) // for another try, if this link ends first
	}
	signedOut := *w
	signedOut.Session, signedOut.SessionToken, signedOut.Ended = nil, "", nil
	return l.acceptWelcome("", &signedOut) // its streams are over, whatever is listed
}

// list tells the edge the streams that the hello had no room for.
func list(ctx context.Context, inst *instance, rest []wire.StreamRef) error {
	for len(rest) > 0 {
		var next []wire.StreamRef
		next, rest = split(rest)
		if _, err := inst.Call(ctx, &wire.Streams{Streams: next, More: len(rest) > 0}); err != nil {
			return fmt.Errorf("list streams: %w", err)
		}
	}
	return nil
}

// split takes what one message lists.
func split(refs []wire.StreamRef) (first, rest []wire.StreamRef) {
	n := min(len(refs), wire.MaxListed)
	return refs[:n], refs[n:]
}

// streams are what the hello lists.
func (l *Link) streams() []wire.StreamRef {
	if l.cfg.Host != nil {
		return l.cfg.Host.Streams()
	}
	return l.trunks.Refs()
}

// acceptWelcome takes over what the edge says about session and connector. The
// token is stored before it returns.
func (l *Link) acceptWelcome(shown string, w *wire.Welcome) error {
	switch {
	case w.Session != nil && w.SessionToken != "":
		if err := l.saveSession(w.SessionToken, w.Session); err != nil {
			return err
		}
	case w.Session != nil:
		l.update(func(f *facts) { f.session, f.end = w.Session, nil })
	case shown != "":
		end := w.Ended
		if end == nil {
			end = &wire.Reason{Code: wire.CodeLoginNeeded, Text: "the edge no longer knows the session"}
		}
		l.endSession("", *end)
	}
	skew := l.now().Sub(w.EdgeTime)
	if w.EdgeTime.IsZero() || skew.Abs() <= dial.MaxSkew {
		skew = 0
	}
	l.update(func(f *facts) {
		f.skew = skew
		switch {
		case w.Connector != nil:
			f.connectorEnd = nil
		case l.cfg.Role == wire.RoleHost && w.Ended != nil:
			f.connectorEnd = w.Ended
		case f.connector != nil:
			f.connectorEnd = &wire.Reason{Code: wire.CodeNotEnrolled, Text: "the edge no longer knows this machine as a host"}
		}
		f.connector = w.Connector
	})
	return nil
}

// enter makes the instance the one that is used.
func (l *Link) enter(inst *instance) {
	if l.cfg.Host != nil {
		l.cfg.Host.Online(inst.Link)
	}
	l.step(eventWelcome, func(f *facts) { f.inst, f.problem, f.used = inst, nil, l.now() })
	signal(l.table)
	close(inst.ready)
	l.log.Info("link online", "edge_id", inst.edgeID, "form", string(inst.form))
}

// leave takes it out of use.
func (l *Link) leave(inst *instance) {
	l.update(func(f *facts) { f.inst, f.registered = nil, nil })
	if l.cfg.Host != nil {
		l.cfg.Host.Offline(inst.Link)
	}
}

// probe ends an instance that shows no life.
func (i *instance) probe(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, wire.ProbeTime)
	defer cancel()
	if _, err := i.Call(ctx, &wire.Ping{}); errors.Is(err, context.DeadlineExceeded) {
		i.CloseWith(errMute)
	}
}

// online waits for an instance, as long as Timing.Offline. Its error is the
// link's own problem.
func (l *Link) online(ctx context.Context) (*instance, error) {
	deadline := l.now().Add(l.timing.Offline)
	timer := time.NewTimer(l.timing.Offline)
	defer timer.Stop()
	for {
		l.mu.Lock()
		f, moved := l.facts, l.moved
		l.facts.used = l.now()
		l.mu.Unlock()
		switch {
		case f.inst != nil:
			return f.inst, nil
		case f.stopped:
			return nil, &api.Problem{Code: api.CodeEdgeUnreached, Title: "The daemon is stopping"}
		case f.state == api.LinkWaiting && (f.retryAt.After(deadline) || hopeless(f.problem)):
			return nil, f.problem
		case f.state == api.LinkIdle:
			l.poke()
		}
		select {
		case <-moved:
		case <-timer.C:
			return nil, l.offline()
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the link to the edge: %w", context.Cause(ctx))
		}
	}
}

// instance is online for package trunks.
func (l *Link) instance(ctx context.Context) (*wire.Link, context.Context, error) {
	inst, err := l.online(ctx)
	if err != nil {
		return nil, nil, err
	}
	return inst.Link, inst.ctx, nil
}

// settling says whether the edge may have begun a moment ago, so that others are
// still on their way to it.
func (l *Link) settling() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.facts.inst != nil && l.now().Sub(l.facts.since) < l.timing.Settle
}

// hopeless says whether the next try will meet the same.
func hopeless(p *api.Problem) bool {
	if p == nil {
		return false
	}
	switch p.Code {
	case api.CodeEdgeUntrusted, api.CodeClockWrong, api.CodeEdgeProtocol:
		return true
	}
	return false
}

// offline is why nothing can be asked of the edge now.
func (l *Link) offline() *api.Problem {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.facts.problem != nil {
		return l.facts.problem
	}
	return &api.Problem{
		Code: api.CodeEdgeTimeout, Title: "The edge does not answer",
		Detail: fmt.Sprintf("still connecting to %s", l.cfg.Edge),
		Hint:   "`sallyport status` shows how the link is.",
	}
}
