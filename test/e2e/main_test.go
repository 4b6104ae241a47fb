//go:build linux

// Package e2e holds stories on the real programs: an edge, a host daemon and a
// client daemon as processes, the commands that a person types, and real
// services behind them. Each story reads like documentation of what it holds.
//
// A story that needs root, Chromium or a server which is not there is skipped
// and says so; `make test` installs them by name where it may.
package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/test/harness"
)

func TestMain(m *testing.M) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	_, err := harness.FindPrograms(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := harness.RemovePrograms(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}
