package relay

import (
	"context"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/wire"
)

// Some hundred daemons that return at once, as after a restart, are all back,
// and what lives goes on.
func TestManyLinksReturn(t *testing.T) {
	t.Parallel()
	const many = 100
	j := newJoined(t)
	ctx, cancel := context.WithTimeout(t.Context(), 6*wait)
	defer cancel()
	devices, hellos := make([]*device, many), make([]wire.Hello, many)
	for i := range devices {
		devices[i] = j.device()
		_, token := devices[i].person("bob@site.com")
		hellos[i] = wire.Hello{Versions: []int{wire.Version}, Role: wire.RoleClient, BootID: "boot", SessionToken: token}
	}
	links := make([]*peerLink, many)
	var wg sync.WaitGroup
	for i, d := range devices {
		links[i] = d.dialLater(ctx, &wg, hellos[i])
	}
	j.echo(t)
	wg.Wait()
	for i, p := range links {
		if p.welcome == nil || p.welcome.Session == nil {
			t.Fatalf("link %d is not back: %+v", i, p.welcome)
		}
	}
	if c := j.relay.Links(); c.Clients != many+1 || c.Streams != 1 {
		t.Errorf("Links = %+v", c)
	}
	j.echo(t)
}
