// Package scaffold writes what a new edge needs into a directory: edge.yaml, the
// state directory and, without certificate files, a private CA.
//
// Errors: InputError for what was asked wrongly; fs.ErrExist where something is
// there that would be overwritten. Nothing is written before all is checked.
package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/edge/internal/certs"
	"github.com/sallyport/sallyport/edge/internal/config"
)

// Input is what an edge is to be.
type Input struct {
	Name   string
	Listen string
	Sites  []string
	// Dir is the directory to write into.
	Dir string
	// State is the state directory; "" is state in Dir. Where root makes an edge
	// in a state directory of another user, what it makes is that user's.
	State string
	// Cert and Key are certificate files; both empty makes a private CA.
	Cert, Key string
	// Force overwrites edge.yaml and replaces the private CA.
	Force bool
}

// Result is what was made.
type Result struct {
	Config string `json:"config"`
	State  string `json:"state"`
	CA     string `json:"ca,omitempty"` // "" with certificate files
	URL    string `json:"url"`
}

// InputError is an Input that makes no sense.
type InputError struct{ error }

func invalid(err error) error { return &InputError{err} }

// Unwrap gives the cause.
func (e *InputError) Unwrap() error { return e.error }

// Make checks all of what is asked for and then writes it: edge.yaml last, so
// that it can be called again after a failure before.
func Make(in Input) (Result, error) {
	if in.Name == "" || len(in.Sites) == 0 {
		return Result{}, invalid(errors.New("give the edge's name and at least one site: --name edge.site.com --site site.com"))
	}
	if (in.Cert == "") != (in.Key == "") {
		return Result{}, invalid(errors.New("give --cert and --key together, or neither for a private CA"))
	}
	dir, err := filepath.Abs(in.Dir)
	if err != nil {
		return Result{}, err
	}
	file := filepath.Join(dir, "edge.yaml")
	input := config.TemplateInput{Name: in.Name, Listen: in.Listen, State: "state", Zones: in.Sites}
	if in.State != "" {
		if input.State, err = filepath.Abs(in.State); err != nil {
			return Result{}, err
		}
	}
	if input.Cert, input.Key, err = filesFor(dir, in.Cert, in.Key); err != nil {
		return Result{}, err
	}
	text := config.Template(input)
	c, err := config.Parse(file, text)
	if err != nil {
		return Result{}, invalid(err)
	}
	if err := checkFree(c, file, in.Force); err != nil {
		return Result{}, err
	}
	res := Result{Config: file, State: c.State, URL: c.WebURL()}
	return res, write(c, file, text, in.Force, &res)
}

// filesFor makes the paths good for a file in dir.
func filesFor(dir, cert, key string) (string, string, error) {
	if cert == "" {
		return "", "", nil
	}
	var out [2]string
	for i, path := range []string{cert, key} {
		abs, err := filepath.Abs(path)
		if err != nil {
			return "", "", err
		}
		out[i] = abs
		if rel, err := filepath.Rel(dir, abs); err == nil && filepath.IsLocal(rel) {
			out[i] = rel
		}
	}
	return out[0], out[1], nil
}

// checkFree looks at everything before anything is written.
func checkFree(c *config.Config, file string, force bool) error {
	if c.TLS.Cert != "" {
		if _, err := certs.LoadFiles(c.TLS.Cert, c.TLS.Key, c.Name, time.Now()); err != nil {
			return err
		}
	}
	if force {
		return nil
	}
	paths := []string{file}
	if c.TLS.Cert == "" {
		paths = append(paths, filepath.Join(c.CADir(), certs.CAFile))
	}
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil {
			return fmt.Errorf("%s is there already: %w", path, fs.ErrExist)
		}
	}
	return nil
}

func write(c *config.Config, file string, text []byte, force bool, res *Result) error {
	uid, gid, others := ownerOf(c.State)
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	if err := os.Chmod(c.State, 0o700); err != nil {
		return fmt.Errorf("close the state directory to others: %w", err)
	}
	if c.TLS.Cert == "" {
		zones := make([]string, len(c.Sites))
		for i, s := range c.Sites {
			zones[i] = s.Zone
		}
		if err := certs.MakeCA(c.CADir(), c.Name, zones, force); err != nil {
			return err
		}
		res.CA = filepath.Join(c.CADir(), certs.CAFile)
	}
	// Last, so that init can be run again after a failure before it.
	part := file + ".part"
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return fmt.Errorf("write the config file: %w", err)
	}
	if err := os.Rename(part, file); err != nil || !others {
		return err
	}
	if err := handOver(c.State, file, uid, gid); err != nil {
		return fmt.Errorf("hand the state directory to its owner: %w", err)
	}
	return nil
}
