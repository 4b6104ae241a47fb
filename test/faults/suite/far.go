//go:build linux

package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sallyport/sallyport/test/faults/services"
	"github.com/sallyport/sallyport/test/faults/wan"
	"github.com/sallyport/sallyport/test/harness"
)

const (
	pgApp  = "pg.site.com"
	sshApp = "ssh.site.com"
)

// far is what a World has whose client is in another network namespace than its
// edge and host, with an emulated network in between: what happens there no
// proxy acknowledges. Nil is a World on loopback. Without near it is one as well,
// and has the services only.
type far struct {
	network  *wan.Network
	near     *wan.Namespace
	services *services.Servers // nil: not installed
	// The forwards to the services.
	pg, ssh string
	moves   int // of the client's address so far
}

// OpenFar is Open with a network between client and edge. It wants to be alone in
// a network namespace of the process's own, which becomes the far side.
func OpenFar(ctx context.Context, dir string, seed uint64) (*World, error) {
	if err := wan.LoopbackUp(); err != nil {
		return nil, err
	}
	here, err := wan.Here()
	if err != nil {
		return nil, err
	}
	f := &far{}
	if f.near, err = wan.NewNamespace(); err != nil {
		return nil, err
	}
	if f.network, err = wan.Join(f.near, here, seed); err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ran := make(chan error, 1)
	go func() { ran <- f.network.Run(life) }() // ends with the World
	fail := func(err error) error { cancel(); return errors.Join(err, <-ran, f.close()) }
	if err := f.serve(ctx, dir); err != nil {
		return nil, fail(err)
	}
	w, err := start(ctx, dir, seed, f, f.edge())
	if err != nil {
		return nil, fail(err)
	}
	w.wg.Go(func() { <-ran })
	cancelWorld := w.cancel
	w.cancel = func() { cancelWorld(); cancel(); f.close() }
	return w, nil
}

// serve starts the services, where they are installed.
func (f *far) serve(ctx context.Context, dir string) (err error) {
	if services.Missing() != nil {
		return nil
	}
	at := filepath.Join(dir, "services")
	// PostgreSQL is another OS user and has its files in there.
	if err := errors.Join(os.Chmod(dir, 0o711), os.MkdirAll(at, 0o711)); err != nil {
		return err
	}
	f.services, err = services.Start(ctx, at)
	return err
}

func (f *far) close() error {
	if f.services != nil {
		return f.services.Close()
	}
	return nil
}

func (f *far) edge() harness.EdgeOptions {
	return harness.EdgeOptions{Host: "edge.site.com", Change: func(yaml string) string {
		return strings.Replace(yaml, "127.0.0.1:", "0.0.0.0:", 1)
	}}
}

// address is where the client reaches the edge.
func (f *far) address(e *harness.Edge) string {
	if f == nil || f.near == nil {
		return e.Address()
	}
	return fmt.Sprintf("%s:%d", wan.Far, e.Port)
}

// inside runs what opens or starts something on the client's side.
func (f *far) inside(do func() error) error {
	if f == nil || f.near == nil {
		return do()
	}
	return f.near.Do(do)
}

func (f *far) apps() []string {
	if f == nil || f.services == nil {
		return nil
	}
	return []string{pgApp, sshApp}
}

func (f *far) origins() map[string]string {
	if f == nil || f.services == nil {
		return nil
	}
	return map[string]string{pgApp: f.services.PostgreSQL, sshApp: f.services.SSH}
}

func (f *far) forwards() map[string]*string {
	if f == nil || f.services == nil {
		return nil
	}
	return map[string]*string{pgApp: &f.pg, sshApp: &f.ssh}
}
