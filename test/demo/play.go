package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
)

// play shows the person what to do, lets them sign in, and shows what happens
// until Ctrl-C.
func (s *stage) play(ctx context.Context) error {
	s.introduce()
	c, err := client.New(client.Options{Socket: s.client.Socket})
	if err != nil {
		return err
	}
	defer c.Close()
	signedIn := make(chan struct{})
	go s.login(ctx, signedIn) // ends with ctx; joined below
	show(ctx, c)
	<-signedIn
	fmt.Println("\nstopping; everything below", s.world.Dir, "is removed")
	return nil
}

func (s *stage) introduce() {
	try := "curl http://" + s.forward + "/"
	if !s.own {
		try = "your usual client with " + s.forward + " instead of " + s.origin
	}
	fmt.Printf(`
  %s is published at the edge %s and waits behind a login.

  type this in another terminal:   %s
  and sign in as:                  %s
  with the password:               %s

  Ctrl-C ends the demo and removes everything.

`, s.origin, s.edge.Name(), try, s.person.Email, s.person.Password)
}

// login runs `sallyport login`, which opens the browser or prints the URL, again
// when nobody has acted in time.
func (s *stage) login(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	for ctx.Err() == nil {
		cmd := exec.CommandContext(ctx, s.world.Programs.Ctl, "--socket", s.client.Socket, "login")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.Env = os.Environ()
		if !term.IsTerminal(int(os.Stdin.Fd())) {
			// Nobody can type a code here: the URL is printed, and the browser
			// that somebody opens it with is on this machine.
			cmd.Env = append(cmd.Env, "BROWSER=true")
		}
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 5 * time.Second
		if err := cmd.Run(); err == nil {
			return
		}
		if ctx.Err() == nil {
			fmt.Println("not signed in; trying again in 5 s (Ctrl-C ends)")
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
}

// show prints a line for each change of the client's status.
func show(ctx context.Context, c *client.Client) {
	last := ""
	for ctx.Err() == nil {
		for event, err := range c.Watch(ctx) {
			if err != nil {
				break
			}
			if event.Status == nil {
				continue
			}
			if line := summary(*event.Status); line != last {
				fmt.Println(time.Now().Format(time.TimeOnly), line)
				last = line
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // the stream broke; look again
		}
	}
}

// summary is a status in one line.
func summary(s api.Status) string {
	parts := []string{string(s.Headline)}
	for _, f := range s.Forwards {
		parts = append(parts, fmt.Sprintf("%s -> %s: %s, %d open, %d waiting, %d in all, %s up, %s down",
			f.Listen, f.Hostname, f.State, f.Connections, f.Waiting, f.TotalConns, size(f.BytesToOrigin), size(f.BytesToLocal)))
		if f.LastError != nil {
			parts = append(parts, "last: "+f.LastError.Error())
		}
	}
	for _, x := range s.Sessions {
		parts = append(parts, fmt.Sprintf("%s until %s (%s)", x.Person.Email, x.ExpiresAt.Local().Format(time.TimeOnly), x.State))
	}
	return strings.Join(parts, " | ")
}

func size(n uint64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
