//go:build linux

package packages

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// holdEnv has TestHeldMachine boot a machine and wait to be killed.
const holdEnv = "SALLYPORT_PACKAGES_HOLD"

// TestKilledLeavesNothing kills a run of these tests while its machine is up.
func TestKilledLeavesNothing(t *testing.T) {
	needed(t)
	before := processes(t)
	run := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestHeldMachine$", "-test.v")
	run.Env = append(os.Environ(), aloneEnv+"=", holdEnv+"=1")
	said, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(said); ; {
		if !lines.Scan() {
			t.Fatalf("it never booted: %v", run.Wait())
		}
		if lines.Text() == "booted" {
			break
		}
	}
	if more := len(processes(t)) - len(before); more < 5 {
		t.Errorf("%d processes of a booted machine", more)
	}
	if err := run.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	run.Wait() // it was killed, which is its error
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for {
		left := processes(t)
		for pid := range before {
			delete(left, pid)
		}
		if len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("left behind: %v", left)
		}
	}
}

// TestHeldMachine is the run that is killed.
func TestHeldMachine(t *testing.T) {
	needed(t)
	if os.Getenv(holdEnv) == "" {
		t.Skip("TestKilledLeavesNothing runs it")
	}
	m := newMachine(t, baseDir)
	m.boot()
	fmt.Println("booted")
	<-t.Context().Done()
}

// processes are those that live in this namespace, by id, with their command
// lines. One that has ended and that nobody has asked after has none.
func processes(t *testing.T) map[int]string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline"); err == nil && len(line) > 0 {
			out[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return out
}
