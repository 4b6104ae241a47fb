package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// LoginMode is how the code comes back from the browser.
type LoginMode string

const (
	// Loopback: the browser is on this machine.
	Loopback LoginMode = "loopback"
	// TypedCode: the browser is elsewhere; the person types the code.
	TypedCode LoginMode = "code"
)

// Browser acts for the person on the page of a login. In mode TypedCode it
// returns the code that the last page shows.
type Browser func(ctx context.Context, url string) (code string, err error)

// Login is one login to walk.
type Login struct {
	Mode LoginMode
	// Enrol makes the machine a host instead of signing a person in.
	Enrol bool
	// As is the OS user who asks; nil means that of the daemon.
	As      *User
	Browser Browser
	// Words are those after the program's name; nil means those that fit.
	Words []string
}

// SignIn types `sallyport login` and walks the pages as p, without a browser.
func (d *Daemon) SignIn(ctx context.Context, e *Edge, p Person, mode LoginMode) error {
	return d.Walk(ctx, Login{Mode: mode, Browser: e.Approve(p)}).Err()
}

// SignInAs is SignIn by another OS user.
func (d *Daemon) SignInAs(ctx context.Context, u *User, e *Edge, p Person, mode LoginMode) error {
	return d.Walk(ctx, Login{Mode: mode, As: u, Browser: e.Approve(p)}).Err()
}

// Enrol types `sallyport tunnel login` and walks the pages as p.
func (d *Daemon) Enrol(ctx context.Context, e *Edge, p Person) error {
	return d.Walk(ctx, Login{Mode: Loopback, Enrol: true, Browser: e.Approve(p)}).Err()
}

// loginURL is what a login prints for the person to open.
var loginURL = regexp.MustCompile(`https?://\S+/login/\S+`)

// Walk types the command of a login, acts for the person, and waits for its end.
func (d *Daemon) Walk(ctx context.Context, l Login) Result {
	args := []string{"login"}
	if l.Enrol {
		args = []string{"tunnel", "login"}
	}
	if l.Mode == TypedCode {
		args = append(args, "--no-browser")
	}
	if l.Words != nil {
		args = l.Words
	}
	as := d.as
	if l.As != nil {
		as = l.As
	}
	c := d.ctl(as, "", args)
	c.name = d.Name + "-login"
	// A real pipe: a program that ends while nobody types is not waited for.
	typed, keyboard, err := os.Pipe()
	if err != nil {
		return Result{Command: "sallyport login", Code: -1, Stderr: err.Error()}
	}
	defer keyboard.Close()
	screen := &screen{changed: make(chan struct{}, 1)}
	c.stdin, c.stdout = typed, screen
	p, err := d.world.start(c)
	typed.Close()
	result := func(err error) Result {
		r := Result{Command: "sallyport " + strings.Join(args, " "), Stdout: screen.String(), Code: -1}
		if p != nil {
			r.Code = p.ExitCode()
		}
		if err != nil {
			r.Stderr = err.Error()
		}
		if r.Code == 0 && err != nil {
			r.Code = -1
		}
		d.world.note(r)
		return r
	}
	if err != nil {
		return result(err)
	}
	code, err := d.act(ctx, l, p, screen)
	if err == nil && l.Mode == TypedCode {
		fmt.Fprintln(keyboard, code)
	}
	keyboard.Close()
	if err != nil {
		// The program may end by itself now (refused): it has a moment.
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		p.Kill()
		err = errors.Join(err, context.Cause(ctx))
	}
	return result(err)
}

// act waits for the URL and lets the browser act on it.
func (d *Daemon) act(ctx context.Context, l Login, p *Process, s *screen) (string, error) {
	url, err := s.wait(ctx, p, loginURL)
	if err != nil {
		return "", err
	}
	code, err := l.Browser(ctx, url)
	if err != nil {
		return "", fmt.Errorf("browser: %w", err)
	}
	return code, nil
}

// screen keeps what a program prints and says when there is more.
type screen struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{}
}

// Write adds what the program printed.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return len(b), nil
}

// String is all of it.
func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// wait gives the first match in what a program prints.
func (s *screen) wait(ctx context.Context, p *Process, re *regexp.Regexp) (string, error) {
	for {
		if m := re.FindString(s.String()); m != "" {
			return m, nil
		}
		select {
		case <-s.changed:
		case <-p.Done():
			return "", fmt.Errorf("the program ended without printing %s", re)
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}
