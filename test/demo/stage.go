package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

const (
	site     = "site.com"
	hostname = "demo.site.com"
	// wantForward and wantEdge are taken where they are free.
	wantForward = 9210
	wantEdge    = 8443
)

// stage is everything that the demo runs.
type stage struct {
	world   *harness.World
	edge    *harness.Edge
	host    *harness.Daemon
	client  *harness.Daemon
	person  harness.Person
	origin  string
	own     bool // the origin is the demo's own service
	forward string
}

// runDemo sets the stage and plays on it.
func runDemo(ctx context.Context, dir string, o options) (err error) {
	s := &stage{}
	if err := s.takeOrigin(o.origin); err != nil {
		return err
	}
	w, err := harness.NewWorld(ctx, dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, w.Logs())
		}
		err = errors.Join(err, w.Close())
	}()
	s.world = w
	if err := s.set(ctx, o); err != nil {
		if ctx.Err() != nil && o.login == "" {
			return nil // Ctrl-C while starting
		}
		return err
	}
	if o.login == "auto" {
		return s.check(ctx)
	}
	return s.play(ctx)
}

// set starts what the demo needs, in this order.
func (s *stage) set(ctx context.Context, o options) error {
	for _, step := range s.steps(o) {
		fmt.Println("starting", step.what)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// step is something that is started.
type step struct {
	what string
	do   func(context.Context) error
}

// steps are those of a demo: a service of its own is started where none is given.
func (s *stage) steps(o options) []step {
	all := []step{{"the edge", s.setEdge}, {"the host daemon", s.setHost}, {"the client daemon", s.setClient}}
	if o.origin == "" {
		all = append([]step{{"the service", s.startOrigin}}, all...)
	}
	return all
}

// takeOrigin takes the service that was given, if one was.
func (s *stage) takeOrigin(origin string) error {
	s.origin = strings.TrimPrefix(origin, "tcp://")
	if origin == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(s.origin); err != nil {
		return fmt.Errorf("ORIGIN=%s: want HOST:PORT: %w", origin, err)
	}
	return nil
}

func (s *stage) startOrigin(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.own = true
	s.origin, err = s.world.StartService(ctx, "service", self, "service")
	return err
}

func (s *stage) setEdge(ctx context.Context) error {
	var err error
	if s.edge, err = s.world.StartEdge(ctx, harness.EdgeOptions{Site: site, WantPort: wantEdge}); err != nil {
		return err
	}
	if s.person, err = s.edge.AddPerson(ctx, "demo@"+site); err != nil {
		return err
	}
	return s.edge.AddApp(ctx, hostname, "--allow", "domain:"+site)
}

func (s *stage) setHost(ctx context.Context) error {
	var err error
	if s.host, err = s.world.StartDaemon(ctx, "host", harness.DaemonOptions{}); err != nil {
		return err
	}
	return s.host.Publish(ctx, s.edge, hostname, "tcp://"+s.origin)
}

func (s *stage) setClient(ctx context.Context) error {
	port, err := harness.FreePort(wantForward)
	if err != nil {
		return err
	}
	s.forward = fmt.Sprintf("localhost:%d", port)
	if s.client, err = s.world.StartDaemon(ctx, "client", harness.DaemonOptions{}); err != nil {
		return err
	}
	if err := s.client.UseEdge(ctx, s.edge, false); err != nil {
		return err
	}
	add := []string{"forward", "add", hostname, s.forward}
	if s.own {
		add = append(add, "--http") // of a browser's requests, too
	}
	if err := s.client.Ctl(ctx, add...).Err(); err != nil {
		return err
	}
	return s.client.Await(ctx, "the forward to listen", func(st api.Status) bool {
		return len(st.Forwards) == 1 && st.Forwards[0].State == api.ForwardLoginNeeded
	})
}
