//go:build !windows

package service

import (
	"context"
	"errors"
	"os"
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
