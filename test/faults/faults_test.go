//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/test/faults/causes"
	"github.com/sallyport/sallyport/test/faults/durable"
	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/faults/wan"
	"github.com/sallyport/sallyport/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := harness.RemovePrograms(); err != nil {
		code = 1
	}
	os.Exit(code)
}

func open(t *testing.T, begin func(context.Context, string, uint64) (*suite.World, error)) (context.Context, *suite.World) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	dir, err := os.MkdirTemp("", "sp-faults-")
	if err != nil {
		t.Fatal(err)
	}
	w, err := begin(ctx, dir, 1)
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
	"pieces of 1 to 700 bytes", "connections doubled", "the host's link cut alone",
	"the client's trunks and lanes cut", "edge killed with -9, and restarted", "a flipped bit in trunks and lanes",
	"lanes alone cut, of client and host, 6 times", "away for longer than the window of 3 s",
}

// TestCauses is the short form of make faults: what lies between the programs.
func TestCauses(t *testing.T) {
	t.Parallel()
	ctx, w := open(t, suite.Open)
	played := 0
	for _, c := range causes.Causes() {
		if !slices.Contains(short, c.Name) {
			continue
		}
		played++
		c.Lasts, c.Bulk = min(c.Lasts, 6*time.Second), min(c.Bulk, 24<<20)
		if r := w.Play(ctx, c, 20); r.Faults != nil {
			t.Errorf("%s: %v", c.Name, r.Faults)
		}
	}
	if played != len(short) {
		t.Errorf("%d causes played, %d named", played, len(short))
	}
}

// insideEnv tells this binary that it is alone in a network namespace.
const insideEnv = "SALLYPORT_FAULTS_INSIDE"

// TestNetwork is the short form of faults of a network between client and edge,
// in a child that is alone in a network namespace.
func TestNetwork(t *testing.T) {
	t.Parallel()
	if err := wan.Available(); err != nil {
		t.Skip(err)
	}
	programs, err := harness.FindPrograms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := inNamespace(t.Context(), os.Args[0], "-test.run=^TestNetworkInside$", "-test.v", "-test.timeout=4m")
	cmd.Env = append(os.Environ(), insideEnv+"=1", harness.BinEnv+"="+filepath.Dir(programs.Edge))
	cmd.Stdout, cmd.Stderr = nil, nil
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestNetworkInside(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.Skip("played by TestNetwork")
	}
	ctx, w := open(t, suite.OpenFar)
	for _, c := range causes.FarCauses() {
		if c.Slow && c.Name != "edge killed with -9, and restarted" {
			continue
		}
		c.Lasts, c.Copy = 6*time.Second, 30_000_000
		if r := w.PlayFar(ctx, c, 20); r.Faults != nil {
			t.Errorf("%s: %v", c.Name, r.Faults)
		}
	}
}

// TestHostilePeers is the short form of make faults: peers that break the
// protocol. Those that wait for its time limits are left out.
func TestHostilePeers(t *testing.T) {
	t.Parallel()
	ctx, w := open(t, suite.Open)
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

// TestState is the short form of make faults: kills and damage of a daemon's state.
func TestState(t *testing.T) {
	t.Parallel()
	programs, err := harness.FindPrograms(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := durable.Config{Program: programs.Daemon, Dir: t.TempDir(), Seed: 1, Short: true}
	durable.Play(t.Context(), c, func(string) bool { return true }, func(r durable.Row) {
		t.Logf("%s: %d tried, %d noticed, %d changes, slowest start %s", r.Name, r.Tried, r.Met, r.Changes, r.Slowest)
		if r.Faults != nil {
			t.Errorf("%s: %v", r.Name, r.Faults)
		}
	})
}
