//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/needs"
	"github.com/sallyport/sallyport/test/harness"
)

// readme is a story that types what the README says. It notes each command as
// it stands there; told compares the notes with the README, so that neither can
// change alone.
type readme struct {
	*story
	// here has what is different in a test: free ports, and where the service is.
	here  *strings.Replacer
	typed []string
}

// words notes a command and gives the words after the program's name, as they
// are typed here; more are what only a test needs.
func (r *readme) words(command string, more ...string) []string {
	r.typed = append(r.typed, command)
	return append(strings.Fields(r.here.Replace(command))[1:], more...)
}

// told wants the commands of a chapter of the README to be those that were typed.
func (r *readme) told(chapter string) {
	r.Helper()
	want, err := readmeCommands(chapter)
	r.must(err)
	for i := range max(len(want), len(r.typed)) {
		var said, typed string
		if i < len(want) {
			said = want[i]
		}
		if i < len(r.typed) {
			typed = r.typed[i]
		}
		if said != typed {
			r.Fatalf("command %d of %q\nREADME: %q\n typed: %q", i+1, chapter, said, typed)
		}
	}
}

// readmeCommands gives the commands in the blocks of a chapter, without their
// comments.
func readmeCommands(chapter string) ([]string, error) {
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		return nil, err
	}
	_, text, ok := strings.Cut(string(b), "\n## "+chapter+"\n")
	if !ok {
		return nil, fmt.Errorf("the README has no chapter %q", chapter)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var commands []string
	inside := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			inside = !inside
			continue
		}
		line, _, _ = strings.Cut(" "+line, " #")
		if line = strings.TrimSpace(line); inside && line != "" {
			commands = append(commands, line)
		}
	}
	return commands, nil
}

// service is what the README publishes: PostgreSQL where it is installed, else
// one that echoes.
func (r *readme) service() (addr string, reach func(ctx context.Context, psql []string) error) {
	r.Helper()
	if !hasPostgres() && os.Getenv(needs.AllEnv) == "" {
		r.Log("PostgreSQL is not installed: an echo takes its place")
		return serve(r.T, echo), func(ctx context.Context, psql []string) error {
			return echoOnce(ctx, net.JoinHostPort(psql[1], psql[3]))
		}
	}
	addr = r.postgres()
	r.listening(addr)
	return addr, func(_ context.Context, psql []string) error {
		out, err := r.try(time.Minute, []string{"PGUSER=postgres"}, "psql", append(psql, "-Atc", "select 6*7")...)
		if err != nil || strings.TrimSpace(out) != "42" {
			return fmt.Errorf("psql says %q, %w", out, err)
		}
		return nil
	}
}

// inForeground starts a command that stays, and waits until it has printed this.
func (r *readme) inForeground(d *harness.Daemon, name, printed string, words []string) *harness.Process {
	r.Helper()
	p, err := d.Foreground(name, words...)
	r.must(err)
	ctx, cancel := context.WithTimeout(r.ctx, 20*time.Second)
	defer cancel()
	r.must(harness.Poll(ctx, fmt.Sprintf("%s to print %q", words[0], printed), func() (bool, error) {
		if p.ExitCode() >= 0 {
			cancel()
		}
		log, err := p.Log()
		return strings.Contains(log, printed), errors.Join(err, fmt.Errorf("so far:\n%s", log))
	}))
	return p
}

// interrupt ends a command as Ctrl-C does.
func (r *readme) interrupt(p *harness.Process) {
	r.Helper()
	r.must(p.Stop())
	const interrupted = 130
	if p.ExitCode() != interrupted {
		r.Errorf("%s: exit code %d at Ctrl-C, want %d", p.Name, p.ExitCode(), interrupted)
	}
}

// firstAdministrator opens the link that serve prints.
func (r *readme) firstAdministrator() harness.Person {
	r.Helper()
	me, err := r.edge.SetUp(r.ctx, "me@site.com")
	r.must(err)
	if _, err := r.edge.SetUp(r.ctx, "late@site.com"); err == nil {
		r.Error("the set-up link worked twice")
	}
	return me
}

// signInWhileWaiting connects before anybody has signed in, and then does.
func (r *readme) signInWhileWaiting(d *harness.Daemon, me harness.Person, connect func() error) {
	r.Helper()
	done := make(chan error, 1)
	go func() { done <- connect() }()
	r.must(d.Await(r.ctx, "a login to be wanted, or taken by the command that waits", func(st api.Status) bool {
		return slices.ContainsFunc(st.Logins, func(l api.Login) bool {
			return l.Purpose == api.PurposeSession && !l.State.Final()
		})
	}))
	r.must(d.SignIn(r.ctx, r.edge, me, harness.Loopback))
	r.must(<-done)
}

// TestReadmeOneMachine is the README's walk on one machine, word for word: one
// daemon is host and client, and the first administrator does everything.
func TestReadmeOneMachine(t *testing.T) {
	t.Parallel()
	r := &readme{story: empty(t)}
	origin, reach := r.service()
	edge, entry := r.freePort(), r.freePort()
	r.here = strings.NewReplacer("8443", edge, "localhost:5432", origin, "9210", entry)

	var err error
	r.edge, err = r.world.StartEdge(r.ctx, harness.EdgeOptions{
		WantPort: number(edge),
		Init:     r.words("sallyport-edge init --name localhost --site site.com --listen 127.0.0.1:8443"),
		Serve:    r.words("sallyport-edge serve --config edge.yaml"),
	})
	r.must(err)
	me := r.firstAdministrator()
	r.ok(r.edge.Run(r.ctx, r.words("sallyport-edge app add tcp.site.com --allow domain:site.com")...))
	d, err := r.world.StartDaemon(r.ctx, "both", harness.DaemonOptions{Words: r.words("sallyportd run"), TypeIn: r.edge.Dir})
	r.must(err)
	r.ok(d.Ctl(r.ctx, r.words("sallyport edge use --machine localhost:8443 --ca state/ca/ca.pem")...))
	r.must(d.Walk(r.ctx, harness.Login{Enrol: true, Words: r.words("sallyport tunnel login"), Browser: r.edge.Approve(me)}).Err())
	tunnel := r.inForeground(d, "tunnel", "published", r.words("sallyport tunnel --hostname tcp.site.com --url tcp://localhost:5432"))
	access := r.inForeground(d, "access", "login-needed", r.words("sallyport access tcp --hostname tcp.site.com --url localhost:9210"))
	psql := r.words("psql -h localhost -p 9210")
	r.signInWhileWaiting(d, me, func() error { return reach(r.ctx, psql) })
	r.told("The walk on one machine")

	r.interrupt(access)
	r.interrupt(tunnel)
	r.must(d.Await(r.ctx, "forward and tunnel to go", func(st api.Status) bool { return len(st.Forwards)+len(st.Tunnels) == 0 }))
}

// TestReadmeTwoMachines is the README's walk on two machines and an edge, word
// for word: each daemon has its own state and socket, the edge a name and
// certificate files. Ctrl-C takes away what the foreground forms set up; what is
// kept outlives the daemons.
func TestReadmeTwoMachines(t *testing.T) {
	t.Parallel()
	r := &readme{story: empty(t)}
	origin, reach := r.service()
	edge, entry := r.freePort(), r.freePort()
	address := "127.0.0.1:" + edge
	r.here = strings.NewReplacer("--listen :8443", "--listen "+address, "8443", edge, "localhost:7870", origin, "9210", entry)
	ca, cert, key := certificates(t, r.world.Dir, "edge.site.com")
	dir := filepath.Join(r.world.Dir, "edge")
	r.must(os.Mkdir(dir, 0o700))
	r.must(os.Rename(cert, filepath.Join(dir, "edge.crt")))
	r.must(os.Rename(key, filepath.Join(dir, "edge.key")))

	var err error
	r.edge, err = r.world.StartEdge(r.ctx, harness.EdgeOptions{
		Host: "edge.site.com", CA: ca, WantPort: number(edge),
		Init:  r.words("sallyport-edge init --name edge.site.com --site site.com --listen :8443 --cert edge.crt --key edge.key"),
		Serve: r.words("sallyport-edge serve --config edge.yaml"),
	})
	r.must(err)
	me := r.firstAdministrator()
	r.ok(r.edge.Run(r.ctx, r.words("sallyport-edge app add tcp.site.com --allow domain:site.com")...))

	// The system knows the certificate's issuer, but no DNS knows the name.
	trusts := []string{"SSL_CERT_FILE=" + ca}
	r.host, err = r.world.StartDaemon(r.ctx, "host", harness.DaemonOptions{Words: r.words("sallyportd run"), Env: trusts})
	r.must(err)
	r.ok(r.host.Ctl(r.ctx, r.words("sallyport edge use --machine edge.site.com:8443", "--address", address)...))
	r.must(r.host.Walk(r.ctx, harness.Login{Enrol: true, Words: r.words("sallyport tunnel login"), Browser: r.edge.Approve(me)}).Err())
	tunnel := r.inForeground(r.host, "tunnel", "published", r.words("sallyport tunnel --hostname tcp.site.com --url tcp://localhost:7870"))

	r.client, err = r.world.StartDaemon(r.ctx, "client", harness.DaemonOptions{Words: r.words("sallyportd run"), Env: trusts})
	r.must(err)
	r.ok(r.client.Ctl(r.ctx, r.words("sallyport edge use edge.site.com:8443", "--address", address)...))
	access := r.inForeground(r.client, "access", "login-needed", r.words("sallyport access tcp --hostname tcp.site.com --url localhost:9210"))
	psql := r.words("psql -h localhost -p 9210")
	r.signInWhileWaiting(r.client, me, func() error { return reach(r.ctx, psql) })

	r.interrupt(access)
	r.must(r.client.Await(r.ctx, "the forward to go", func(st api.Status) bool { return len(st.Forwards) == 0 }))
	if err := reach(r.ctx, psql); err == nil {
		t.Error("the port still answers after Ctrl-C")
	}
	r.interrupt(tunnel)
	r.must(r.host.Await(r.ctx, "the tunnel to go", func(st api.Status) bool { return len(st.Tunnels) == 0 }))

	r.ok(r.host.Ctl(r.ctx, r.words("sallyport tunnel add tcp.site.com tcp://localhost:7870")...))
	r.ok(r.client.Ctl(r.ctx, r.words("sallyport forward add tcp.site.com localhost:9210")...))
	r.told("The walk on two machines and an edge")
	for _, d := range []*harness.Daemon{r.host, r.client} {
		r.must(d.Process().Stop())
		r.must(d.Start(r.ctx))
	}
	r.must(r.host.AwaitTunnel(r.ctx, app, api.TunnelPublished))
	r.ready("localhost:" + entry)
	r.must(reach(r.ctx, psql))
}

// TestReadmeCommands: the comparison with the README finds what it is to find.
func TestReadmeCommands(t *testing.T) {
	t.Parallel()
	one, err := readmeCommands("The walk on one machine")
	if err != nil || len(one) < 9 || one[0] != "sallyport-edge init --name localhost --site site.com --listen 127.0.0.1:8443" ||
		one[1] != "sallyport-edge serve --config edge.yaml" {
		t.Errorf("%q, %v", one, err)
	}
	if _, err := readmeCommands("No such chapter"); err == nil {
		t.Error("a chapter that is not there was found")
	}
}
