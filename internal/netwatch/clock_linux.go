package netwatch

import (
	"context"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// clocks calls changed each time the wall clock leaps, as it does when the
// machine wakes, until ctx ends. Source: timerfd_create(2), TFD_TIMER_CANCEL_ON_SET.
func clocks(ctx context.Context, changed func()) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return os.NewSyscallError("timerfd_create", err)
	}
	if err := arm(fd); err != nil {
		unix.Close(fd)
		return err
	}
	return drain(ctx, os.NewFile(uintptr(fd), "timerfd"), changed)
}

// arm sets the timer to a time that does not come, to be told of leaps only.
func arm(fd int) error {
	never := unix.ItimerSpec{Value: unix.Timespec{Sec: math.MaxInt32}}
	return os.NewSyscallError("timerfd_settime", unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil))
}
