package gate

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/quota"
)

const (
	// breachBurst and breachEvery: links of one address that may be cut for a
	// breach before its handshakes are paced. A broken daemon that comes back as
	// it should is below it.
	breachBurst = 10
	breachEvery = 6 * time.Second
	// paceEvery is the time between two handshakes of a paced address: a few
	// thousandths of a processor's time, and enough for the people beside.
	paceEvery = 100 * time.Millisecond
	// paceWait is how long one may wait for its place: it has to shake hands and
	// say hello after it.
	paceWait = 5 * time.Second
	// paceKeys bounds the addresses that are kept in mind.
	paceKeys = 10_000
)

// Pace slows the handshakes of addresses whose links break the protocol again
// and again. It shuts none out: honest people may be behind the same address.
type Pace struct {
	breaches *quota.Buckets[netip.Prefix]

	mu   sync.Mutex
	next map[netip.Prefix]time.Time // when the next one of a paced address may begin
}

// NewPace paces nobody yet.
func NewPace() *Pace {
	return &Pace{
		breaches: quota.New[netip.Prefix](breachEvery, breachBurst, paceKeys),
		next:     make(map[netip.Prefix]time.Time),
	}
}

// Breach counts a link that was cut for breaking the protocol.
func (p *Pace) Breach(addr netip.Addr, now time.Time) { p.breaches.Take(PrefixOf(addr), now) }

// Await waits for the place of a handshake; false where there is none.
func (p *Pace) Await(ctx context.Context, addr netip.Addr) bool {
	wait, ok := p.Wait(addr, time.Now())
	if !ok || wait == 0 {
		return ok
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Wait says how long a handshake is to wait for its place; ok is false where
// there is none within paceWait.
func (p *Pace) Wait(addr netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	prefix := PrefixOf(addr)
	p.mu.Lock()
	defer p.mu.Unlock()
	at, paced := p.next[prefix]
	if !paced && p.breaches.Has(prefix, now) {
		return 0, true
	}
	if paced && at.Before(now) && p.breaches.Has(prefix, now) { // nobody waits, and it has bettered
		delete(p.next, prefix)
		return 0, true
	}
	if at.Before(now) {
		at = now
	}
	if wait = at.Sub(now); wait > paceWait {
		return 0, false
	}
	if !paced && len(p.next) >= paceKeys {
		p.makeRoomLocked(now)
	}
	p.next[prefix] = at.Add(paceEvery)
	return wait, true
}

// makeRoomLocked forgets the addresses for which nobody waits, or any.
func (p *Pace) makeRoomLocked(now time.Time) {
	for k, at := range p.next {
		if at.Before(now) {
			delete(p.next, k)
		}
	}
	for k := range p.next {
		if len(p.next) < paceKeys {
			return
		}
		delete(p.next, k)
	}
}
