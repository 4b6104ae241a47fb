package netwatch

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/needs"
)

// In a network of its own, interfaces, addresses and routes that come and go are
// told.
func TestNetworkChangesAreTold(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("skipped: needs root, for a network of its own")
	}
	needs.Program(t, "ip")
	runtime.LockOSThread() // never unlocked: the thread ends with the test, and its network with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("skipped: no network of its own: %v", err)
	}
	f, err := open() // it belongs to the network of this thread
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(chan struct{}, 256), make(chan struct{})
	go func() {
		defer close(done)
		drain(ctx, f, func() {
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	for _, command := range []string{
		"link add sp0 type veth peer name sp1", "link set sp0 up", "addr add 192.0.2.1/24 dev sp0",
		"route add 198.51.100.0/24 via 192.0.2.9", "route del 198.51.100.0/24", "-6 addr add 2001:db8::1/64 dev sp0 nodad",
		"addr del 192.0.2.1/24 dev sp0", "link del sp0",
	} {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Errorf("ip %s: %v: %s", command, err, out)
			continue
		}
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Errorf("ip %s: not told", command)
		}
		for quiet := false; !quiet; { // the rest of what it says
			select {
			case <-told:
			case <-time.After(50 * time.Millisecond):
				quiet = true
			}
		}
	}
	cancel()
	<-done
}

// The kernel tells when the clock is set, even by a nanosecond.
func TestClockThatIsSetIsTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(chan struct{}, 256), make(chan error, 1)
	go func() { done <- clocks(ctx, func() { poke(told) }) }()
	for waiting := true; waiting; {
		if _, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_SETOFFSET | unix.ADJ_NANO, Time: unix.Timeval{Usec: 1}}); err != nil {
			cancel()
			<-done
			t.Skipf("skipped: the clock cannot be set here: %v", err)
		}
		select {
		case <-told:
			waiting = false
		case err := <-done:
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond): // it may not listen yet
		}
	}
	cancel()
	<-done
}
