package gate

import (
	"net/netip"
	"testing"
	"time"
)

// Who breaks the protocol again and again waits in line with those at the same
// address; others do not, and it passes.
func TestPace(t *testing.T) {
	t.Parallel()
	bad, good := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := NewPace()
	want := func(addr netip.Addr, wait time.Duration, ok bool) {
		t.Helper()
		if d, got := p.Wait(addr, now); d != wait || got != ok {
			t.Fatalf("%s waits %s, %t; want %s, %t", addr, d, got, wait, ok)
		}
	}
	for range breachBurst - 1 {
		p.Breach(bad, now)
	}
	want(bad, 0, true)
	want(bad, 0, true)
	p.Breach(bad, now)
	for i := range int(paceWait/paceEvery) + 1 {
		want(bad, time.Duration(i)*paceEvery, true)
	}
	want(bad, 0, false) // no place within the time
	want(good, 0, true)
	now = now.Add(paceEvery)
	want(bad, paceWait, true) // the line moves
	now = now.Add(time.Minute)
	want(bad, 0, true)
	if len(p.next) != 0 {
		t.Errorf("%d addresses are still paced", len(p.next))
	}
}

func TestPaceIsBounded(t *testing.T) {
	t.Parallel()
	p := NewPace()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range paceKeys + 100 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		for range breachBurst {
			p.Breach(addr, now)
		}
		p.Wait(addr, now)
	}
	if len(p.next) > paceKeys {
		t.Errorf("%d addresses are kept", len(p.next))
	}
}
