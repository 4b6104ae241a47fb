//go:build !windows

package service

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

var errOwn = errors.New("own end")

func TestInteractiveEndsAtASignal(t *testing.T) {
	err := interactive(func(ctx context.Context) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return errOwn
	})
	if !errors.Is(err, errOwn) {
		t.Errorf("got %v", err)
	}
}

func TestProgram(t *testing.T) {
	t.Run("stopped", func(t *testing.T) {
		p := &program{done: make(chan struct{}), run: func(ctx context.Context) error { <-ctx.Done(); return nil }}
		if err := p.Start(nil); err != nil {
			t.Fatal(err)
		}
		if err := p.Stop(nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("ends by itself", func(t *testing.T) {
		p := &program{done: make(chan struct{}), run: func(context.Context) error { return errOwn }}
		if err := p.Start(nil); err != nil {
			t.Fatal(err)
		}
		p.wait()
		if err := p.Stop(nil); !errors.Is(err, errOwn) {
			t.Errorf("got %v", err)
		}
	})
}

func TestReadyTellsSystemd(t *testing.T) {
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
	defer c.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := Ready(); err != nil {
		t.Fatal(err)
	}
	if err := Stopping(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"READY=1", "STOPPING=1"} {
		b := make([]byte, 100)
		n, err := c.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("systemd was told %q, %v; want %q", b[:n], err, want)
		}
	}
}
