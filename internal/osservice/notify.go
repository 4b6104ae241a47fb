package osservice

import (
	"context"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready tells systemd that the program serves. Elsewhere it does nothing.
func Ready() error { return notify(daemon.SdNotifyReady) }

// Stopping tells systemd that the program is about to end, and has ended within a time:
// systemd kills it after TimeoutStopSec otherwise. 0 leaves that as it is.
func Stopping(within time.Duration) error {
	word := daemon.SdNotifyStopping
	if within > 0 {
		word += "\nEXTEND_TIMEOUT_USEC=" + strconv.FormatInt(within.Microseconds(), 10)
	}
	return notify(word)
}

func notify(word string) error {
	_, err := daemon.SdNotify(false, word)
	return err
}

// Watchdog tells systemd at half its interval that the program lives, as long as
// alive says so; systemd restarts one that it hears nothing of. Where nobody
// asked for it, it returns at once.
func Watchdog(ctx context.Context, alive func(ctx context.Context) bool) error {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return err
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !alive(ctx) {
			continue
		}
		if err := notify(daemon.SdNotifyWatchdog); err != nil {
			return err
		}
	}
}
