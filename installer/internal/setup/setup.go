// Package setup installs, upgrades and removes what the manifest lists, and
// compares a machine with it.
//
// Shapes: a Setup makes a list of steps, each with a sentence; a dry run says
// the sentences. A step that has been done leaves behind how it is undone; when
// one fails, those are called in reverse, and the machine is as before. The
// receipt on the machine says which parts were installed, and what the files
// held.
//
// Errors: what failed, and whether everything was undone.
package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/internal/manifest"
)

// Options say what is wanted. OS, Version and Say are required.
type Options struct {
	// OS is that of the manifest.
	OS string
	// Role is what the machine is for; "" is what the receipt says.
	Role manifest.Role
	// Root is "" for this machine, else the tree of another system: nothing is
	// started there.
	Root string
	// Payload is the unpacked archive.
	Payload string
	// Version is what the receipt will say.
	Version       string
	Purge, DryRun bool
	Say           io.Writer
}

// Setup does one thing to one machine.
type Setup struct {
	Options
	before  receipt // what the machine says was installed
	program func(ctx context.Context, path string, args ...string) error
}

// New looks at the machine.
func New(o Options) (*Setup, error) {
	if len(manifest.Entries(o.OS)) == 0 {
		return nil, errors.New("on this system the package is the installer")
	}
	s := &Setup{Options: o, program: runProgram}
	if o.Root != "" {
		root, err := filepath.Abs(o.Root)
		if err != nil {
			return nil, err
		}
		s.Root = root
	}
	text, err := os.ReadFile(s.at(receiptPath))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &s.before); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.at(receiptPath), err)
	}
	return s, nil
}

// receiptPath is where the receipt lies on every system.
const receiptPath = "/usr/local/lib/sallyport/receipt.json"

// receipt is what was installed.
type receipt struct {
	Version string          `json:"version"`
	Parts   []manifest.Part `json:"parts"`
	// Files are the SHA-256 of what was put there, by path.
	Files map[string]string `json:"files"`
	// Made are the directories that were made on the way to a file.
	Made []string `json:"made"`
}

// at is a path of the manifest on the machine.
func (s *Setup) at(path string) string { return filepath.Join("/", s.Root, filepath.FromSlash(path)) }

// Install installs a role's parts, beside what is there.
func (s *Setup) Install(ctx context.Context) error {
	parts := slices.Clone(s.before.Parts)
	for _, p := range s.Role.Parts() {
		if !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
	}
	return s.put(ctx, parts)
}

// Upgrade replaces what is installed. State stays.
func (s *Setup) Upgrade(ctx context.Context) error {
	if len(s.before.Parts) == 0 {
		return errors.New("nothing was installed here by the installer: sallyport-installer install --role host|client|edge")
	}
	return s.Install(ctx)
}

func (s *Setup) put(ctx context.Context, parts []manifest.Part) error {
	if err := s.check(parts); err != nil {
		return err
	}
	after := receipt{Version: s.Version, Parts: parts, Files: map[string]string{}, Made: slices.Clone(s.before.Made)}
	j := &journal{say: s.Say, dry: s.DryRun}
	steps := s.accountSteps(parts)
	if s.Root == "" {
		steps = append(steps, s.guardServices(ctx)) // its undo comes after that of the files
	}
	steps = append(steps, s.entrySteps(parts, &after)...)
	steps = append(steps, s.enableSteps(parts, &after)...)
	steps = append(steps, s.receiptStep(&after))
	steps = append(steps, s.serviceSteps(ctx, parts)...)
	return j.run(steps)
}

// check refuses before anything is touched.
func (s *Setup) check(parts []manifest.Part) error {
	if !s.DryRun {
		if err := mayInstall(); err != nil {
			return err
		}
	}
	if name := s.packaged(parts); name != "" {
		return fmt.Errorf("the package %s is installed here: use the package manager for it", name)
	}
	var missing []error
	for _, e := range manifest.EntriesOf(s.OS, parts) {
		if e.IsDir() {
			continue
		}
		if _, err := os.Stat(filepath.Join(s.Payload, filepath.FromSlash(e.From))); err != nil {
			missing = append(missing, err)
		}
	}
	if len(missing) > 0 {
		return errors.Join(append(missing, errors.New("give the unpacked archive with --from DIR"))...)
	}
	return nil
}

// packaged is the package that has put one of the parts here, "" for none.
func (s *Setup) packaged(parts []manifest.Part) string {
	for _, p := range parts {
		for _, where := range []string{"/var/lib/dpkg/info/" + string(p) + ".list", "/usr/share/licenses/" + string(p) + "/LICENSE"} {
			if _, err := os.Stat(s.at(where)); err == nil {
				return string(p)
			}
		}
	}
	return ""
}

// Uninstall removes programs and services, and with Purge all else.
func (s *Setup) Uninstall(ctx context.Context) error {
	if !s.DryRun {
		if err := mayInstall(); err != nil {
			return err
		}
	}
	gone := s.before.Parts
	if s.Role != "" {
		gone = s.Role.Parts()
	}
	if len(gone) == 0 { // purge after an uninstall
		gone = manifest.Parts
	}
	if name := s.packaged(gone); name != "" {
		return fmt.Errorf("the package %s is installed here: use the package manager for it", name)
	}
	stay := slices.DeleteFunc(slices.Clone(s.before.Parts), func(p manifest.Part) bool { return slices.Contains(gone, p) })
	j := &journal{say: s.Say, dry: s.DryRun}
	return j.run(s.removalSteps(ctx, gone, stay))
}

// keepers are the paths that parts which stay need.
func (s *Setup) keepers(stay []manifest.Part) map[string]bool {
	out := map[string]bool{}
	for _, e := range manifest.EntriesOf(s.OS, stay) {
		out[e.Path] = true
	}
	return out
}

// journal does steps, and undoes them.
type journal struct {
	say  io.Writer
	dry  bool
	undo []func() error
}

// step is one thing that is done. It may give back how it is undone.
type step struct {
	says string // "" says nothing
	do   func() (undo func() error, err error)
	// done is called when all steps have succeeded; nil is nothing to do.
	done func()
}

func (j *journal) run(steps []step) error {
	for _, s := range steps {
		if s.says != "" {
			fmt.Fprintln(j.say, s.says)
		}
		if j.dry {
			continue
		}
		undo, err := s.do()
		if undo != nil {
			j.undo = append(j.undo, undo)
		}
		if err != nil {
			return j.back(fmt.Errorf("%s: %w", strings.TrimSpace(s.says), err))
		}
	}
	if !j.dry {
		for _, s := range steps {
			if s.done != nil {
				s.done()
			}
		}
	}
	return nil
}

// back undoes everything that was done.
func (j *journal) back(cause error) error {
	var failed []error
	for _, undo := range slices.Backward(j.undo) {
		if err := undo(); err != nil {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return errors.Join(append([]error{cause, errors.New("and not everything could be undone")}, failed...)...)
	}
	return fmt.Errorf("%w; everything was undone", cause)
}
