//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/harness"
)

// commandsOf asks a program for its commands; those that only hold others are
// left out.
func (s *story) commandsOf(program string, words ...string) []string {
	s.Helper()
	var names []string
	out, err := exec.Command(program, append(append([]string{"__complete"}, words...), "")...).Output()
	s.must(err)
	for line := range strings.Lines(string(out)) {
		name, _, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || len(words) == 0 && (name == "help" || name == "completion") {
			continue // cobra's own; completion prints a script
		}
		path := append(slices.Clone(words), name)
		help, err := exec.Command(program, append(slices.Clone(path), "--help")...).Output()
		if err != nil || !strings.Contains(string(help), "Usage:\n  "+filepath.Base(program)+" "+strings.Join(path, " ")) {
			continue // a word that may follow a command
		}
		below := s.commandsOf(program, path...)
		names = append(names, below...)
		if len(below) == 0 || strings.Contains(string(help), "--hostname") {
			names = append(names, strings.Join(path, " "))
		}
	}
	return names
}

// jsonTable runs a program's commands by rows, and wants a row and a promise for
// each command that there is.
type jsonTable struct {
	*story
	program  string
	promises map[string]promise
	tried    map[string]bool
}

func (s *story) jsonTable(program, path string) *jsonTable {
	s.Helper()
	j := &jsonTable{story: s, program: path, promises: promises(s.T, program), tried: map[string]bool{}}
	commands := s.commandsOf(path)
	if len(commands) < 20 {
		s.Fatalf("%s has the commands %q", program, commands)
	}
	for _, c := range commands {
		if _, ok := j.promises[c]; !ok {
			s.Errorf("docs/json.md has no row for %s %s", program, c)
		}
		j.tried[c] = false
	}
	for c := range j.promises {
		if !slices.Contains(commands, c) {
			s.Errorf("docs/json.md has a row for %s %s, which is no command", program, c)
		}
	}
	return j
}

// printed compares what a command printed with its promise; command is "app add"
// in "app add tcp.site.com".
func (j *jsonTable) printed(command string, r harness.Result) string {
	j.Helper()
	j.tried[command] = true
	if err := r.Err(); err != nil {
		j.Errorf("%s: %v", command, err)
		return ""
	}
	if err := j.promises[command].keeps(r.Stdout); err != nil {
		j.Errorf("%s: %v\n%s", command, err, r.Stdout)
	}
	return r.Stdout
}

// elsewhere names a command that this story cannot run, and why.
func (j *jsonTable) elsewhere(command, why string) {
	j.tried[command] = true
	j.Logf("%s is not run here: %s", command, why)
}

// all wants every command to have been tried, and each to tell a mistake as one
// problem on standard error, with nothing on standard output.
func (j *jsonTable) all() {
	j.Helper()
	for command, tried := range j.tried {
		if !tried {
			j.Errorf("%s was not tried with --json: give it a row", command)
		}
		cmd := exec.Command(j.program, append(strings.Fields(command), "--unheard-of", "--json")...)
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		cmd.Run()
		var p api.Problem
		if err := json.Unmarshal([]byte(errs.String()), &p); err != nil || p.Code != api.CodeInvalid || p.Title == "" || out.Len() > 0 || cmd.ProcessState.ExitCode() != exitUsage {
			j.Errorf("%s --unheard-of --json: %v, exit code %d, %s%s", command, err, cmd.ProcessState.ExitCode(), out.String(), errs.String())
		}
	}
}

// field finds a field in what was printed: the first of a list.
func field(out, name string) string {
	m := regexp.MustCompile(`"` + name + `": "([^"]+)"`).FindStringSubmatch(out)
	if m == nil {
		return ""
	}
	return m[1]
}

// TestEdgeJSON tries every command of sallyport-edge with --json.
func TestEdgeJSON(t *testing.T) {
	t.Parallel()
	s := empty(t)
	var err error
	s.edge, err = s.world.StartEdge(s.ctx, harness.EdgeOptions{})
	s.must(err)
	j := s.jsonTable("sallyport-edge", s.world.Programs.Edge)
	run := func(command string, words ...string) string {
		t.Helper()
		return j.printed(command, s.edge.Run(s.ctx, append(append(strings.Fields(command), words...), "--json")...))
	}
	init := exec.Command(s.world.Programs.Edge, "init", "--name", "edge.site.com", "--site", "site.com", "--dir", filepath.Join(s.world.Dir, "another"), "--json")
	out, err := init.Output()
	j.printed("init", harness.Result{Stdout: string(out), Command: fmt.Sprint("init ", err), Code: init.ProcessState.ExitCode()})
	run("setup-link")
	run("person add", "bob@site.com", "--name", "Bob", "--group", "staff")
	run("person passwd", "bob@site.com")
	run("person edit", "bob@site.com", "--group", "dba")
	run("person list")
	s.addPerson(alice)
	run("app add", "x.site.com", "--allow", "everyone", "--contact", "it@site.com")
	run("app edit", "x.site.com", "--allow", "group:dba")
	run("app list")
	run("policy why", "bob@site.com", "x.site.com")
	token := run("token new", "--site", "site.com", "--hostnames", "a.site.com")
	run("token list")
	run("token rm", field(token, "id"))

	s.publish(serve(t, echo))
	s.startClient()
	s.signIn(alice, harness.Loopback)
	live, err := connect(s.ctx, s.forward(app), time.Minute)
	s.must(err)
	defer live.Close()
	s.must(say(live, "hello\n"))
	run("stream cut", field(run("stream list"), "id"))
	if _, err := live.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the stream that was cut: %v", err)
	}
	run("session list")
	run("session revoke", alice)
	run("connector revoke", field(run("connector list"), "id"))
	run("person rm", "bob@site.com")
	run("app rm", "x.site.com")
	run("audit tail", "-n", "100")
	run("audit verify")
	run("status")
	run("version")
	run("drain", "--deadline", "1s")
	j.elsewhere("serve", "it runs until it is told to end; the other commands speak with it")
	run("service status")
	for _, verb := range []string{"install", "uninstall", "start", "stop", "restart"} {
		j.elsewhere("service "+verb, "it needs a service manager: test/packages has one")
	}
	j.all()
}

// TestCtlJSON tries every command of sallyport with --json.
func TestCtlJSON(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	s.addPerson("root@site.com", "admins")
	s.allow(app, "domain:site.com")
	s.startHost()
	j := s.jsonTable("sallyport", s.world.Programs.Ctl)
	run := func(d *harness.Daemon, command string, words ...string) string {
		t.Helper()
		return j.printed(command, d.Ctl(s.ctx, append(append(strings.Fields(command), words...), "--json")...))
	}
	login := func(d *harness.Daemon, command, email string) {
		t.Helper()
		// Notes for the person are on standard error, which a Walk joins to the rest.
		r := d.Walk(s.ctx, harness.Login{Words: append(strings.Fields(command), "--json"), Browser: s.edge.Approve(s.people[email])})
		if at := strings.Index(r.Stdout, "{\n"); at >= 0 {
			r.Stdout = r.Stdout[at:]
		}
		j.printed(command, r)
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.edge.Port)
	run(s.host, "edge use", s.edge.Name(), "--ca", s.edge.CA, "--address", address, "--machine")
	login(s.host, "tunnel login", "root@site.com")
	held, err := s.host.Foreground("tunnel", "tunnel", "--hostname", app, "--url", "tcp://127.0.0.1:1", "--json")
	s.must(err)
	j.lines("tunnel", held, api.TunnelPublished)
	run(s.host, "tunnel add", app, "tcp://"+serve(t, echo))
	run(s.host, "tunnel pause", app)
	run(s.host, "tunnel resume", app)
	run(s.host, "tunnel list")
	token, err := s.edge.JoinToken(s.ctx, "*.site.com")
	s.must(err)
	j.printed("tunnel join", s.host.CtlInput(s.ctx, token+"\n", "tunnel", "join", "--json"))

	s.startClient()
	run(s.client, "edge show")
	run(s.client, "edge list")
	run(s.client, "portal")
	run(s.client, "tray autostart")
	login(s.client, "login", alice)
	run(s.client, "whoami")
	run(s.client, "apps")
	addr := s.freeAddr()
	run(s.client, "forward add", app, addr)
	for _, command := range []string{"forward pause", "forward resume"} {
		run(s.client, command, addr)
	}
	run(s.client, "forward edit", addr, "--http")
	run(s.client, "forward list")
	run(s.client, "status")
	for command, words := range map[string][]string{"access tcp": {"--hostname", app, "--url", s.freeAddr()}, "events": nil} {
		p, err := s.client.Foreground(strings.ReplaceAll(command, " ", "-"), append(append(strings.Fields(command), words...), "--json")...)
		s.must(err)
		j.lines(command, p, map[string]any{"access tcp": api.ForwardReady, "events": "status"}[command])
	}
	ssh := s.ok(s.client.Ctl(s.ctx, "access", "ssh", "--hostname", "ssh.site.com", "--print-config", "--json"))
	if field(ssh.Stdout, "ssh_config") == "" {
		t.Errorf("access ssh --print-config says %q", ssh.Stdout)
	}
	j.tried["access ssh"] = true
	run(s.client, "version")
	run(s.client, "logout")
	run(s.client, "forward rm", addr)
	run(s.client, "edge rm", s.edge.Name())
	run(s.host, "tunnel rm", app)
	j.all()
}

// lines waits until a command that stays has printed this word, ends it, and
// compares its lines.
func (j *jsonTable) lines(command string, p *harness.Process, word any) {
	j.Helper()
	j.prints(p, fmt.Sprintf("%q", fmt.Sprint(word)))
	j.must(p.Stop())
	log, err := p.Log()
	j.must(err)
	var out strings.Builder
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "{") { // the others are notes for the person
			out.WriteString(line)
		}
	}
	j.printed(command, harness.Result{Command: command, Stdout: out.String()})
}
