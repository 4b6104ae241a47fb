package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const module = "github.com/sallyport/sallyport"

// program is one program and the folder that it is built from.
type program struct{ name, folder string }

var (
	daemon    = program{"sallyportd", "daemon"}
	ctl       = program{"sallyport", "ctl"}
	edge      = program{"sallyport-edge", "edge"}
	tray      = program{"sallyport-tray", "tray"}
	installer = program{"sallyport-installer", "installer"}
)

// target is what is built for one system.
type target struct {
	goos, goarch string
	programs     []program
}

// targets: the tray of darwin needs a Mac, and Windows has neither edge nor
// installer (the MSI is one).
func (r *release) targets() []target {
	all := []target{
		{"linux", "amd64", []program{daemon, ctl, edge, tray, installer}},
		{"linux", "arm64", []program{daemon, ctl, edge, tray, installer}},
		{"darwin", "amd64", []program{daemon, ctl, edge, installer}},
		{"darwin", "arm64", []program{daemon, ctl, edge, installer}},
		{"windows", "amd64", []program{daemon, ctl, tray}},
	}
	if r.quick {
		all = slices.DeleteFunc(all, func(t target) bool { return t.goos != "windows" && (t.goos != "linux" || t.goarch != runtime.GOARCH) })
	}
	return all
}

// dir is where a target's payload is staged.
func (r *release) dir(t target) string { return filepath.Join(r.work, t.goos+"-"+t.goarch) }

func (r *release) buildAll(ctx context.Context) error {
	for _, t := range r.targets() {
		for _, p := range t.programs {
			out := filepath.Join(r.dir(t), "bin", p.name)
			if t.goos == "windows" {
				out += ".exe"
			}
			flags := fmt.Sprintf("-s -w -X %[1]s/internal/buildinfo.version=%[2]s -X %[1]s/internal/buildinfo.commit=%[3]s", module, r.version, r.commit)
			if t.goos == "windows" && p == tray {
				flags += " -H windowsgui" // no console window beside the icon
			}
			// The stamp of the version control system says whether the tree had
			// changes, which the version says too.
			if err := r.run(ctx, []string{"GOOS=" + t.goos, "GOARCH=" + t.goarch, "CGO_ENABLED=0"},
				r.goTool, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", out, "./"+p.folder); err != nil {
				return err
			}
		}
	}
	return nil
}

// native is the program of this very machine, to ask it for its completions.
func (r *release) native(p program) string {
	return filepath.Join(r.dir(target{goos: runtime.GOOS, goarch: runtime.GOARCH}), "bin", p.name)
}

func (r *release) run(ctx context.Context, env []string, name string, args ...string) error {
	_, err := r.output(ctx, env, name, args...)
	return err
}

func (r *release) output(ctx context.Context, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, complaint.Bytes())
	}
	return out, nil
}
