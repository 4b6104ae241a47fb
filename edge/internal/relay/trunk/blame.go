package trunk

import (
	"time"

	"github.com/sallyport/sallyport/wire"
)

// faults are the codes by which a client says that the host was at fault.
var faults = map[wire.Code]bool{
	wire.CodeProtocol: true, wire.CodeConnectorLost: true, wire.CodeGrantTimeout: true, wire.CodeNoSuchTunnel: true, wire.CodeInternal: true,
}

// patience is how long a client waits for a host before another ticket that it asks
// for means that the host did not come.
const patience = 5 * time.Second

// blameLocked has another host picked next for the session of a trunk, where there
// is one.
func (t *Table) blameLocked(x *trunk) {
	if x.carrier == wire.CarrierTrunk && x.host != nil {
		t.cfg.Registry.Failed(x.session.ID, x.host)
	}
}

// givenUp blames the hosts of tickets that a session waits for no longer: it asks
// for another to the same hostname.
func (t *Table) givenUp(session, hostname string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.trunks {
		if x.session.ID == session && x.hostname == hostname && x.pair == nil && !x.over && time.Since(x.asked) > patience {
			t.blameLocked(x)
		}
	}
}
