package splice

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
)

// openPipes counts the pipes of this process beyond those in the pool.
func openPipes(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "pipe:") {
			n++
		}
	}
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	return n - 2*len(pipes.free)
}

// No t.Parallel: it counts the pipes of the process.
func TestIdlePairHoldsNoPipe(t *testing.T) {
	before := openPipes(t)
	var ends []*net.TCPConn
	for range 2 * keepPipes {
		_, a, b, _ := pair(t, EndTime)
		ends = append(ends, a, b)
	}
	one := make([]byte, 1)
	for i := 0; i < len(ends); i += 2 {
		for j := range 2 { // both directions have carried something
			if _, err := ends[i+j].Write(one); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(ends[i+1-j], one); err != nil {
				t.Fatal(err)
			}
		}
	}
	// A direction gives its pipe back right after the byte; wait for the last.
	for range 10_000 {
		if openPipes(t) <= before {
			return
		}
	}
	t.Errorf("%d pipe ends are held by idle pairs", openPipes(t)-before)
}

func TestSurplus(t *testing.T) {
	t.Parallel()
	near, far := connect(t)
	if Surplus(far) {
		t.Error("a silent connection has surplus")
	}
	if _, err := near.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for !Surplus(far) { // the byte is on its way
	}
	got := make([]byte, 1)
	if _, err := io.ReadFull(far, got); err != nil || got[0] != 'x' {
		t.Errorf("Surplus took the byte: %q, %v", got, err)
	}
	near.Close()
	for !Surplus(far) { // so is the end
	}
}
