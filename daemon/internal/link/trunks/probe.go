package trunks

import "github.com/sallyport/sallyport/wire"

// Probe has every trunk and lane show that it lives: this machine's network may be
// another one. The streams of one that does not go on with another.
func (p *Pool) Probe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for tr := range p.all {
		if isReady(tr) && !tr.lost {
			tr.wire.Probe(wire.ProbeTime)
		}
	}
}
