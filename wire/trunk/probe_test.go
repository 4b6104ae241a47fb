package trunk

import (
	"errors"
	"net"
	"testing"
	"time"
)

// probeWait is what a connection has in these tests; one that lives answers at once.
const probeWait = 300 * time.Millisecond

// A trunk that does not answer is lost, and its streams may go on elsewhere; one that
// answers is left alone.
func TestProbe(t *testing.T) {
	t.Parallel()
	near, far := tcpPair(t)
	client, err := Client(near, near, Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	host, err := Host(far, far, Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	mute, b := tcpPair(t) // takes what comes, and says nothing
	alone, err := Client(b, b, Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mute.Close()
		for _, x := range []*Trunk{client, host, alone} {
			x.CloseWith(nil)
			<-x.Done()
		}
	})
	for _, x := range []*Trunk{client, host, alone} {
		x.Probe(probeWait)
	}
	select {
	case <-alone.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("a mute trunk stays")
	}
	if err := alone.Err(); !errors.Is(err, errDead) {
		t.Errorf("the mute trunk ended with %v, want %v", err, errDead)
	}
	<-time.After(probeWait)
	if err := errors.Join(client.Err(), host.Err()); err != nil {
		t.Errorf("a trunk that lives was ended: %v", err)
	}
}

// A lane, of which nobody answers, is judged by what TCP says.
func TestProbeOfALane(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		probe probe
		dead  bool
	}{
		"nothing was to be said":        {probe{tells: true}, false},
		"what was said is on its way":   {probe{tells: true, unacked: 1}, true},
		"TCP tells nothing":             {probe{}, true},
		"something was heard meanwhile": {probe{tells: true, unacked: 1, heard: -1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := tcpPair(t)
			defer a.Close()
			lane := Lane(b.(*net.TCPConn), b, Config{}, true)
			defer func() { lane.CloseWith(nil); <-lane.Done() }()
			if _, _, ok := lane.progress(); !ok && tt.probe.tells {
				t.Skip("this system does not tell")
			}
			if tt.probe.unacked > 0 {
				stall(t, b)
			}
			p := tt.probe
			p.t = lane
			p.acked, _, _ = lane.progress()
			if p.alive() == tt.dead {
				t.Errorf("alive is %v", !tt.dead)
			}
		})
	}
}

// stall fills a connection that nobody reads.
func stall(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	for buf := make([]byte, 64<<10); ; {
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
}
