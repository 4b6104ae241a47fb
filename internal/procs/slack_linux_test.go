package procs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The child of TestSlack says which process it is, before and after, what it was called
// with, and the slack of all its threads.
func TestMain(m *testing.M) {
	if os.Getenv("SLACK_CHILD") == "" {
		os.Exit(m.Run())
	}
	fmt.Println("pid", os.Getpid(), os.Args[1:])
	Slack()
	for _, thread := range threads() {
		b, err := os.ReadFile("/proc/" + thread + "/timerslack_ns")
		if err != nil {
			fmt.Println(err)
		}
		fmt.Print("slack ", string(b))
	}
	_, left := os.LookupEnv(executed)
	fmt.Println("end", os.Getpid(), os.Args[1:], left)
}

func threads() (ids []string) {
	all, _ := filepath.Glob("/proc/self/task/*")
	for _, t := range all {
		ids = append(ids, filepath.Base(t))
	}
	return ids
}

func TestSlack(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to read the slack of other threads")
	}
	c := exec.Command(os.Args[0], "a", "b")
	c.Env = append(os.Environ(), "SLACK_CHILD=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pid := strconv.Itoa(c.ProcessState.Pid())
	begun := bytes.Count(out, []byte("pid "+pid+" [a b]\n"))
	if begun != 2 || !bytes.Contains(out, []byte("end "+pid+" [a b] false\n")) {
		t.Errorf("want the same process twice, and no mark left:\n%s", out)
	}
	all, set := bytes.Count(out, []byte("slack ")), bytes.Count(out, []byte(fmt.Sprintf("slack %d\n", slack)))
	if all == 0 || set != all {
		t.Errorf("%d of %d threads have the slack:\n%s", set, all, out)
	}
}

// What somebody else has decided stays.
func TestSlackThatIsSetStays(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
		if err := setSlack(3 * time.Millisecond); err != nil {
			t.Error(err)
		}
		Slack()
		if now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || time.Duration(now) != 3*time.Millisecond {
			t.Errorf("slack is %v, %v", time.Duration(now), err)
		}
	}()
	<-done
}
