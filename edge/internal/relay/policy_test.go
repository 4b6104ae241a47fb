package relay

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
	"github.com/sallyport/sallyport/wire/flood"
)

// A change of the policy or of somebody's groups cuts what is no longer allowed,
// and nothing else, before it returns.
func TestPolicyChangeCuts(t *testing.T) {
	t.Parallel()
	for _, parked := range []bool{false, true} {
		j := newJoined(t, impatient)
		bob, s := j.world.client("bob@site.com")
		other := j.world.trunk(bob, s, j.host)
		j.granted(bob, j.host, other.ticket.Trunk)
		if parked {
			j.lose()
		}
		j.allow(app, "email:bob@site.com", "group:dba")
		if list := j.relay.Streams(); len(list) != 1 || list[0].Email != "bob@site.com" {
			t.Errorf("parked %t: Streams = %+v", parked, list)
		}
		if c := expect[*wire.Cut](j.client); c.Reason.Code != wire.CodeDenied || c.Reason.Text == "" {
			t.Errorf("parked %t: %+v", parked, c)
		}
		other.echo(t)
	}
}

func TestChangeOfGroupsCuts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "group:dba")
	host, _ := w.host(app)
	client, s := w.client("alice@site.com")
	groups := func(list ...string) {
		if err := w.sessions.SetGroups(t.Context(), "iss", "alice@site.com", list); err != nil {
			t.Fatal(err)
		}
		w.relay.PersonChanged(t.Context(), "iss", "alice@site.com")
	}
	groups("dba", "staff")
	x := w.trunk(client, s, host)
	w.granted(client, host, x.ticket.Trunk)
	groups("dba")
	x.echo(t)
	groups("staff")
	if n := len(w.relay.Streams()); n != 0 {
		t.Errorf("%d streams left", n)
	}
	wantReset(t, x.client.NetConn())
}

// A peer that floods is cut; another one is not harmed.
func TestFloodingLinkIsCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, _ := w.client("mallory@site.com")
	other, _ := w.client("alice@site.com")
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 100 { // at once, since the rate of one after another is the machine's
		wg.Go(func() {
			for n.Add(1) < 10*flood.OtherBurst {
				if _, err := p.Call(t.Context(), &wire.Ping{}); err != nil {
					return
				}
			}
			t.Error("the edge answers everything")
		})
	}
	wg.Wait()
	w.eventually("the edge has dropped it", func() bool { return w.relay.Links().Clients == 1 })
	call[*wire.Pong](other, &wire.Ping{})
}

// An address whose links break the protocol gets fewer handshakes; it is served all the same.
func TestBreachesSlowTheirAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	from := netip.MustParseAddr("127.0.0.1")
	for range 30 {
		if wait, ok := w.relay.pace.Wait(from, time.Now()); !ok || wait > 0 {
			break
		}
		p, _ := w.client("mallory@site.com")
		p.Send(&wire.Welcome{}) // what only an edge says
		<-p.Done()
	}
	w.eventually("its address is paced", func() bool {
		wait, ok := w.relay.pace.Wait(from, time.Now())
		return ok && wait > 0
	})
	honest, _ := w.client("alice@site.com")
	call[*wire.Pong](honest, &wire.Ping{})
}

// A table that is refused as a whole is still answered.
func TestLargeRefusalIsAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, _ := w.host()
	var names []string
	for i := range 450 {
		names = append(names, "a-rather-long-name-of-a-service-"+string(rune('a'+i%26))+string(rune('a'+i/26))+".elsewhere.example.org")
	}
	results := p.register(names...)
	if len(results) != len(names) || results[7].Reason == nil || results[7].Reason.Code != wire.CodeOutOfScope {
		t.Errorf("%d results", len(results))
	}
}
