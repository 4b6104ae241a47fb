package trunk

import "time"

// ProbeTime is how long a connection has to show that it lives after a change of this
// machine's network: with the burst of changes that is waited for it is below 2 s.
const ProbeTime = 1500 * time.Millisecond

// Probe ends a trunk or lane that shows no life within wait, as if its connection had
// broken: this machine's network may be another one. One that lives is left alone. It
// does not wait.
func (t *Trunk) Probe(wait time.Duration) {
	p := &probe{t: t, heard: t.road.LastRead()}
	p.acked, p.unacked, p.tells = t.progress()
	switch {
	case t.framer != nil:
		t.framer.Ping(time.Now())
	default:
		t.mux.Repeat() // nobody answers it, but TCP acknowledges it
		if !p.tells {
			wait += PingAfter // by then the other end has said something
		}
	}
	time.AfterFunc(wait, func() { // does nothing where the trunk has ended
		if !p.alive() {
			t.road.Fail(errDead)
		}
	})
}

// probe is how a connection was when it was asked whether it lives.
type probe struct {
	t       *Trunk
	heard   time.Duration
	acked   uint64
	unacked int
	tells   bool // TCP's progress can be seen
}

// alive says whether there was a sign of life since. TCP's progress is one of payload
// only on a trunk, where the other daemon answers; on a lane it is the only one.
func (p *probe) alive() bool {
	if p.t.road.LastRead() != p.heard {
		return true
	}
	acked, unacked, ok := p.t.progress()
	if !p.tells || !ok {
		return false
	}
	if p.t.lane != nil {
		return acked != p.acked || unacked == 0
	}
	return acked != p.acked && p.unacked > pingsOnly
}
