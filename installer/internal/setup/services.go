package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/internal/manifest"
	"github.com/sallyport/sallyport/internal/osservice"
)

// runProgram runs a program that was installed; what it says is for its error.
func runProgram(ctx context.Context, path string, args ...string) error {
	if out, err := exec.CommandContext(ctx, path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", path, strings.Join(args, " "), err, out)
	}
	return nil
}

// guardServices sees to it that what ran before runs again, with the old files,
// when something fails.
func (s *Setup) guardServices(ctx context.Context) step {
	return step{do: func() (func() error, error) {
		ran := slices.DeleteFunc(s.services(s.before.Parts), func(m manifest.Service) bool { return !runs(m) })
		return func() error {
			var failed []error
			for _, m := range ran {
				failed = append(failed, s.bringUp(context.WithoutCancel(ctx), m, "restart"))
			}
			return errors.Join(failed...)
		}, nil
	}}
}

func runs(m manifest.Service) bool {
	c, err := osservice.Of(m, nil, io.Discard)
	if err != nil {
		return false
	}
	state, err := c.State()
	return err == nil && state == osservice.Running
}

// enableSteps have the services of another tree start at its boot.
func (s *Setup) enableSteps(parts []manifest.Part, after *receipt) []step {
	var out []step
	if s.Root == "" || s.OS != "linux" {
		return nil
	}
	for _, m := range s.services(parts) {
		out = append(out, s.enableStep(m, after))
	}
	return out
}

// serviceSteps bring the services of this machine up.
func (s *Setup) serviceSteps(ctx context.Context, parts []manifest.Part) []step {
	var out []step
	if s.Root != "" {
		return nil
	}
	for _, m := range s.services(parts) {
		verb := "install"
		if slices.Contains(s.before.Parts, m.Part) {
			verb = "restart"
		}
		out = append(out, step{says: verb + " service " + m.Name, do: func() (func() error, error) {
			var undo func() error
			if verb == "install" {
				undo = func() error { return uninstall(context.WithoutCancel(ctx), m) }
			}
			return undo, s.bringUp(ctx, m, verb)
		}})
	}
	return out
}

// bringUp starts a service. An edge that has no file yet is not started.
func (s *Setup) bringUp(ctx context.Context, m manifest.Service, verb string) error {
	if m.Part == manifest.Edge {
		if _, err := os.Stat(edgeConfig); err != nil {
			fmt.Fprintf(s.Say, "%s starts once it has a file: sallyport-edge init --dir %s --state %s --name NAME --site ZONE, then sallyport-edge service install\n",
				m.Name, filepath.Dir(edgeConfig), m.State)
			return nil
		}
	}
	if verb == "restart" {
		return s.bringBack(ctx, m)
	}
	return s.program(ctx, m.Program, "service", verb)
}

// bringBack has a service that was installed before run the program that is
// there now. An edge may not have been a service yet, and an init script may be
// another one now: installing sees to both, and to nothing else.
func (s *Setup) bringBack(ctx context.Context, m manifest.Service) error {
	c, err := osservice.Of(m, nil, io.Discard)
	if err != nil {
		return err
	}
	if m.Part == manifest.Edge || c.ByScript() {
		was, _ := c.State()
		if err := s.program(ctx, m.Program, "service", "install"); err != nil || was != osservice.Running {
			return err
		}
	}
	return s.program(ctx, m.Program, "service", "restart")
}

const edgeConfig = "/etc/sallyport/edge.yaml"

// wants is the link by which systemd starts a service at boot.
func wants(m manifest.Service) string {
	return "/etc/systemd/system/multi-user.target.wants/" + m.Name + ".service"
}

func (s *Setup) enableStep(m manifest.Service, after *receipt) step {
	link := s.at(wants(m))
	return step{says: "enable service " + m.Name, do: func() (func() error, error) {
		undo, err := s.parents(wants(m), after)
		if err != nil {
			return undo, err
		}
		err = os.Symlink("/usr/lib/systemd/system/"+m.Name+".service", link)
		if errors.Is(err, fs.ErrExist) {
			return undo, nil
		}
		return func() error { return errors.Join(ignoreMissing(os.Remove(link)), undo()) }, err
	}}
}

// removalSteps take away; there is no way back, and none is needed: what fails
// can be asked for again.
func (s *Setup) removalSteps(ctx context.Context, gone, stay []manifest.Part) []step {
	var out []step
	for _, m := range s.services(gone) {
		out = append(out, s.downStep(ctx, m))
	}
	keep := s.keepers(stay)
	for _, e := range slices.Backward(manifest.EntriesOf(s.OS, gone)) {
		if keep[e.Path] || e.Keep && !s.Purge {
			continue
		}
		out = append(out, step{says: "remove " + s.at(e.Path), do: func() (func() error, error) { return nil, s.remove(e) }})
	}
	if s.Purge {
		out = append(out, s.purgeSteps(gone)...)
	}
	return append(out, step{do: func() (func() error, error) { return nil, s.forget(stay) }})
}

func (s *Setup) remove(e manifest.Entry) error {
	if e.IsDir() {
		return os.RemoveAll(s.at(e.Path))
	}
	return errors.Join(ignoreMissing(os.Remove(s.at(e.Path))), s.tidy(e.Path))
}

func (s *Setup) downStep(ctx context.Context, m manifest.Service) step {
	return step{says: "uninstall service " + m.Name, do: func() (func() error, error) {
		if s.Root == "" {
			return nil, uninstall(ctx, m)
		}
		return nil, s.unlist(m)
	}}
}

// uninstall takes a service of this machine from its manager. It does not need
// the service's program, which may be what is broken.
func uninstall(ctx context.Context, m manifest.Service) error {
	c, err := osservice.Of(m, nil, io.Discard)
	if err != nil {
		return err
	}
	return c.Uninstall(ctx)
}

// unlist removes that by which another system knows a service.
func (s *Setup) unlist(m manifest.Service) error {
	var failed []error
	for _, file := range m.Scripts() {
		failed = append(failed, ignoreMissing(os.Remove(s.at(file))))
	}
	for _, pattern := range m.ScriptLinks() {
		for _, link := range s.glob(pattern) {
			failed = append(failed, os.Remove(s.at(link)))
		}
	}
	return errors.Join(failed...)
}

func (s *Setup) purgeSteps(gone []manifest.Part) []step {
	var out []step
	for _, m := range s.services(gone) {
		for _, path := range m.Leftovers() {
			out = append(out, step{says: "remove " + s.at(path), do: func() (func() error, error) { return nil, os.RemoveAll(s.at(path)) }})
		}
		if m.Account != "" {
			out = append(out, step{says: "remove account " + m.Account, do: func() (func() error, error) {
				return nil, osservice.RemoveAccount(s.Root, m.Account)
			}})
		}
	}
	return out
}

// forget writes the receipt of what stays; nothing, and the directories that
// were made for it, where nothing does.
func (s *Setup) forget(stay []manifest.Part) error {
	r := s.before
	r.Parts = stay
	if len(stay) > 0 {
		keep := s.keepers(stay)
		for path := range r.Files {
			if !keep[path] {
				delete(r.Files, path)
			}
		}
		_, err := s.receiptStep(&r).do()
		return err
	}
	if err := ignoreMissing(os.Remove(s.at(receiptPath))); err != nil {
		return err
	}
	for _, dir := range slices.Backward(r.Made) {
		os.Remove(s.at(dir)) // one in which others have put something stays
	}
	if s.Root == "" && s.OS == "linux" {
		exec.Command("systemctl", "daemon-reload").Run() // where there is one
	}
	return nil
}
