package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// BinEnv names a folder that already holds the programs.
const BinEnv = "SALLYPORT_BIN"

// Programs are the paths of the programs under test.
// Tray is built where `make build` builds it.
type Programs struct{ Daemon, Ctl, Edge, Tray string }

var builtPrograms struct {
	sync.Mutex
	dir string
}

// FindPrograms takes the programs from BinEnv or from beside this one, or builds
// them once for this process; RemovePrograms deletes what was built.
func FindPrograms(ctx context.Context) (Programs, error) {
	if dir := os.Getenv(BinEnv); dir != "" {
		return programsIn(dir)
	}
	if self, err := os.Executable(); err == nil {
		if p, err := programsIn(filepath.Dir(self)); err == nil {
			return p, nil
		}
	}
	b := &builtPrograms
	b.Lock()
	defer b.Unlock()
	if b.dir == "" {
		dir, err := os.MkdirTemp("", "sallyport-bin-")
		if err != nil {
			return Programs{}, err
		}
		if err := build(ctx, dir); err != nil {
			return Programs{}, errors.Join(err, os.RemoveAll(dir))
		}
		b.dir = dir
	}
	return programsIn(b.dir)
}

// RemovePrograms deletes what FindPrograms built.
func RemovePrograms() error {
	b := &builtPrograms
	b.Lock()
	defer b.Unlock()
	dir := b.dir
	b.dir = ""
	if dir == "" {
		return nil
	}
	return os.RemoveAll(dir)
}

func programsIn(dir string) (Programs, error) {
	p := Programs{Tray: filepath.Join(dir, "sallyport-tray"+executableSuffix)}
	for name, at := range map[string]*string{"sallyportd": &p.Daemon, "sallyport": &p.Ctl, "sallyport-edge": &p.Edge} {
		*at = filepath.Join(dir, name+executableSuffix)
		if _, err := os.Stat(*at); err != nil {
			return p, fmt.Errorf("program %s: %w (make build)", name, err)
		}
	}
	return p, nil
}

func build(ctx context.Context, dir string) error {
	_, self, _, ok := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(self)))
	if _, err := os.Stat(filepath.Join(root, "go.mod")); !ok || err != nil {
		return fmt.Errorf("build the programs: no module at %s: set %s", root, BinEnv)
	}
	for name, folder := range map[string]string{"sallyportd": "daemon", "sallyport": "ctl", "sallyport-edge": "edge", "sallyport-tray": "tray"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, name+executableSuffix), "./"+folder)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", name, err, strings.TrimSpace(string(out)))
		}
	}
	return nil
}
