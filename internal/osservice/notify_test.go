//go:build !windows

package osservice

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// systemd is its end of the socket on which services speak to it.
func systemd(t *testing.T) *net.UnixConn {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return c
}

func heard(t *testing.T, c *net.UnixConn, want string) {
	t.Helper()
	b := make([]byte, 100)
	if n, err := c.Read(b); err != nil || string(b[:n]) != want {
		t.Errorf("systemd was told %q, %v; want %q", b[:n], err, want)
	}
}

func TestReadyTellsSystemd(t *testing.T) {
	c := systemd(t)
	if err := Ready(); err != nil {
		t.Fatal(err)
	}
	for _, within := range []time.Duration{0, 10 * time.Minute} {
		if err := Stopping(within); err != nil {
			t.Fatal(err)
		}
	}
	heard(t, c, "READY=1")
	heard(t, c, "STOPPING=1")
	heard(t, c, "STOPPING=1\nEXTEND_TIMEOUT_USEC=600000000")
}

// TestWatchdog: systemd hears of a program as long as it lives.
func TestWatchdog(t *testing.T) {
	c := systemd(t)
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	alive := func(context.Context) bool {
		asked++
		if asked == 5 {
			cancel()
		}
		return asked < 3
	}
	if err := Watchdog(ctx, alive); err != nil {
		t.Fatal(err)
	}
	heard(t, c, "WATCHDOG=1")
	heard(t, c, "WATCHDOG=1")
	if err := c.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 100)); err == nil {
		t.Errorf("systemd was told %d more bytes of a program that does not live", n)
	}
}
