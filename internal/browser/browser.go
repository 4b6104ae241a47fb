// Package browser opens the login page of an edge in the browser of the person
// who sits at this terminal or desktop.
//
// Shapes: Check says whether a URL may be opened for an edge, Available whether
// there is a browser to open it in, Open does it.
//
// Errors: Open tells only what fails at once; a browser that starts and then
// stays is a success, and what it shows is unknown. The caller prints the URL
// in any case.
//
// Concurrency: Open waits for graceTime at most and leaves one goroutine behind
// that reaps the browser's process.
package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cli/browser"
)

// graceTime is how long a browser command may take to fail. Launchers return
// in well under a second; a browser in the foreground never does.
const graceTime = 3 * time.Second

// maxURLBytes is the longest URL that is opened; ShellExecute takes 2,083.
const maxURLBytes = 2048

// Edge is the edge whose pages may be opened.
type Edge struct {
	// Name is its host name, with ":PORT" where that is not 443.
	Name string
	// Address is the IP:PORT that is dialled instead; "" means none.
	Address string
}

// Check says why a URL must not be opened: only https on the edge itself may,
// or http on localhost when the edge is on loopback.
func Check(rawURL string, e Edge) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return fmt.Errorf("login URL: %w", err)
	}
	name, port := split(e.Name)
	switch {
	case len(rawURL) > maxURLBytes:
		return errors.New("login URL: too long")
	case u.User != nil || u.Opaque != "":
		return errors.New("login URL: not a plain web address")
	case u.Scheme == "https":
		if !strings.EqualFold(u.Hostname(), name) || portOf(u, "443") != port {
			return fmt.Errorf("login URL is on %s, not on the edge %s", u.Host, e.Name)
		}
		return nil
	case u.Scheme == "http":
		return checkPlain(u, e)
	}
	return fmt.Errorf("login URL: scheme %q is not https", u.Scheme)
}

// checkPlain lets http pass where nothing leaves this machine. An edge on
// loopback that is dialled at another port, by way of a port map, shows its
// pages at the port of its name.
func checkPlain(u *url.URL, e Edge) error {
	name, port := split(e.Name)
	ports := []string{port}
	loopback := isLoopback(name)
	if e.Address != "" {
		host, dialled := split(e.Address)
		if !loopback {
			ports = nil
		}
		ports = append(ports, dialled)
		loopback = isLoopback(host)
	}
	if !loopback {
		return errors.New("login URL: http, but the edge is not on this machine")
	}
	if u.Hostname() != "localhost" || !slices.Contains(ports, portOf(u, "80")) {
		return fmt.Errorf("login URL is on %s, not on localhost:%s", u.Host, strings.Join(ports, " or :"))
	}
	return nil
}

func split(hostport string) (host, port string) {
	if h, p, err := net.SplitHostPort(hostport); err == nil {
		return h, p
	}
	return strings.Trim(hostport, "[]"), "443"
}

func portOf(u *url.URL, fallback string) string {
	if p := u.Port(); p != "" {
		return p
	}
	return fallback
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Available says whether a browser on this machine would be seen by the person
// who asks, and if not, why.
func Available() (ok bool, reason string) { return available(os.Getenv) }

func available(getenv func(string) string) (bool, string) {
	if getenv("SSH_CONNECTION") != "" || getenv("SSH_TTY") != "" {
		return false, "this is an ssh session"
	}
	if getenv("BROWSER") != "" {
		return true, ""
	}
	return desktop(getenv)
}

// Open opens a URL that passes Check, with the commands that the environment
// variable BROWSER lists or else with the system's browser.
func Open(ctx context.Context, rawURL string, e Edge) error {
	if err := Check(rawURL, e); err != nil {
		return err
	}
	return launch(ctx, rawURL)
}

// OpenOwn opens a page that this program serves itself, on 127.0.0.1.
func OpenOwn(ctx context.Context, rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return fmt.Errorf("own page: %w", err)
	}
	if u.Scheme != "http" || u.User != nil || u.Hostname() != "127.0.0.1" || u.Port() == "" {
		return errors.New("own page: not on 127.0.0.1")
	}
	return launch(ctx, rawURL)
}

// Portal is the address of an edge's own page: https, but plain http where the
// edge is reached under a name of this machine itself.
func Portal(e Edge) string {
	name, port := split(e.Name)
	scheme, usual := "https", "443"
	if isLoopback(name) {
		scheme, usual, name = "http", "80", "localhost"
	}
	if port != usual {
		name = net.JoinHostPort(name, port)
	}
	return scheme + "://" + name + "/"
}

// launch opens what may be opened.
func launch(ctx context.Context, rawURL string) error {
	if list := os.Getenv("BROWSER"); list != "" {
		return openWith(ctx, list, rawURL)
	}
	// The library's commands inherit these; stdout is not theirs.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
	return await(ctx, func() error { return browser.OpenURL(rawURL) })
}

// openWith tries the commands of a BROWSER list in turn. "%s" in a command
// stands for the URL, which is appended otherwise; no shell is involved.
func openWith(ctx context.Context, list, rawURL string) error {
	var errs []error
	for _, entry := range filepath.SplitList(list) {
		argv := command(entry, rawURL)
		if len(argv) == 0 {
			continue
		}
		err := await(ctx, exec.Command(argv[0], argv[1:]...).Run)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", argv[0], err))
	}
	if len(errs) == 0 {
		return errors.New("the environment variable BROWSER names no command")
	}
	return errors.Join(errs...)
}

func command(entry, rawURL string) []string {
	argv := strings.Fields(entry)
	// A path with spaces is one word if a program stands there.
	if _, err := exec.LookPath(entry); err == nil {
		argv = []string{entry}
	}
	placed := false
	for i, a := range argv {
		if strings.Contains(a, "%s") {
			argv[i], placed = strings.ReplaceAll(a, "%s", rawURL), true
		}
	}
	if len(argv) > 0 && !placed {
		argv = append(argv, rawURL)
	}
	return argv
}

// await runs a launcher and waits until it ends, or is still there after
// graceTime.
func await(ctx context.Context, launch func() error) error {
	done := make(chan error, 1)
	go reap(launch, done) // ends with the browser's process
	grace := time.NewTimer(graceTime)
	defer grace.Stop()
	select {
	case err := <-done:
		return err
	case <-grace.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func reap(launch func() error, done chan<- error) { done <- launch() }
