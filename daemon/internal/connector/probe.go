package connector

import "github.com/sallyport/sallyport/wire"

// Probe has every trunk and lane show that it lives: this machine's network may be
// another one. The streams of one that does not are parked.
func (c *Connector) Probe() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.trunks {
		if t.wire != nil && !t.isLost() {
			t.wire.Probe(wire.ProbeTime)
		}
	}
}

// met notes the connection of a trunk.
func (c *Connector) met(t *trunk, w *wire.Trunk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.wire = w
}
