package procs

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// slack is by how much a timer of this process may be late: those of the protocol
	// are of a millisecond and more.
	slack = time.Millisecond
	// usual is what Linux gives a process that nobody has given another.
	usual = 50 * time.Microsecond
	// executed says in the environment that a program was executed by itself.
	executed = "SALLYPORT_EXECUTED"
)

// Slack lets timers be late by a millisecond (docs/decisions/0034-timer-slack.md).
//
// The runtime has a thread that watches system calls. A process that sleeps between two
// messages wakes it with each call that may wait, and it looks every 20 us for a while
// then: a sixth of the processor time of a short connection, and of a bulk stream. With
// slack it looks once a millisecond.
//
// A thread has the slack of the one that began it, and the runtime's are there before
// main. So the program executes itself in its own place: the same process, arguments and
// environment. Where somebody has set another slack, as the unit of systemd does, that
// stays. Call it from main, before anything else; where it cannot be done nothing
// happens.
func Slack() {
	if _, again := os.LookupEnv(executed); again {
		os.Unsetenv(executed)
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || time.Duration(now) != usual {
		return
	}
	self, err := os.Executable()
	if err != nil || setSlack(slack) != nil {
		return
	}
	syscall.Exec(self, os.Args, append(os.Environ(), executed+"=1"))
	setSlack(usual) // it cannot be executed
}

func setSlack(d time.Duration) error {
	return unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(d), 0, 0, 0)
}
