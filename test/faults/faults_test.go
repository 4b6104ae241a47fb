//go:build linux

package main

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := harness.RemovePrograms(); err != nil {
		code = 1
	}
	os.Exit(code)
}

func open(t *testing.T) (context.Context, *suite.World) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	dir, err := os.MkdirTemp("", "sp-faults-")
	if err != nil {
		t.Fatal(err)
	}
	w, err := suite.Open(ctx, dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.Logs())
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return ctx, w
}

// short is the causes that take a moment each.
var short = []string{
	"pieces of 1 to 700 bytes", "connections doubled", "the host's link cut",
	"the client's trunks cut", "edge killed with -9, and restarted", "a flipped bit in the trunk",
}

// TestCauses is the short form of make faults: what lies between the programs.
func TestCauses(t *testing.T) {
	t.Parallel()
	ctx, w := open(t)
	played := 0
	for _, c := range suite.Causes() {
		if !slices.Contains(short, c.Name) {
			continue
		}
		played++
		if r := w.Play(ctx, c, 20); r.Faults != nil {
			t.Errorf("%s: %v", c.Name, r.Faults)
		}
	}
	if played != len(short) {
		t.Errorf("%d causes played, %d named", played, len(short))
	}
}

// TestHostilePeers is the short form of make faults: peers that break the
// protocol. Those that wait for its time limits are left out.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	ctx, w := open(t)
	all := slices.DeleteFunc(hostilepeer.Behaviours(), hostilepeer.Behaviour.Slow)
	err := w.Hostile(ctx, all, func(r suite.HostileRow) {
		if r.Faults != nil {
			t.Errorf("%s %s, against the %s: %v", r.Behaviour.Actor, r.Behaviour.Name, r.Behaviour.Victim, r.Faults)
		}
	})
	if err != nil {
		t.Error(err)
	}
}
