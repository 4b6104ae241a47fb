//go:build linux

// Package packages holds what is proved on a machine with a real systemd: that
// the packages of `make dist` install with one command, run, come back after a
// kill and a reboot, and leave without a trace. `make packagestest` runs it; it
// needs root, systemd-nspawn, and a Debian tree, and is skipped elsewhere.
package packages

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What the test is given.
var (
	distDir = os.Getenv("SALLYPORT_DIST")   // what make dist made
	baseDir = os.Getenv("SALLYPORT_ROOTFS") // a Debian tree
)

const (
	origin = "127.0.0.1:7870"
	entry  = "127.0.0.1:9210"
	// lowEntry is an administrator's, whom alone the service lets have such a port.
	lowEntry = "127.0.0.1:443"
	app      = "tcp.site.com"
	person   = "alice@site.com"
	secret   = "correct horse battery staple 42"
	maximum  = 2.0 // of systemd-analyze security
)

// lacks is what the tests on a machine miss here, "" for nothing.
func lacks() string {
	switch {
	case distDir == "" || baseDir == "":
		return "needs SALLYPORT_DIST and SALLYPORT_ROOTFS: make packagestest"
	case os.Geteuid() != 0:
		return "needs root"
	}
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		return "needs systemd-nspawn"
	}
	return ""
}

func needed(t *testing.T) {
	t.Helper()
	if why := lacks(); why != "" {
		t.Skip(why)
	}
}

func prepared(t *testing.T) *machine {
	t.Helper()
	needed(t)
	m := newMachine(t, baseDir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m.host("cp", self, filepath.Join(m.root, "usr/local/bin/helper"))
	m.write("/etc/systemd/system/origin.service", "[Service]\nEnvironment="+helperEnv+"=1\nExecStart=/usr/local/bin/helper origin "+origin+
		"\n[Install]\nWantedBy=multi-user.target\n")
	m.write("/etc/hosts", "127.0.0.1 localhost\n")
	m.boot()
	m.sh("useradd -m alice && useradd -m bob && systemctl enable --now --quiet origin")
	return m
}

// one is the only file in dist of a pattern.
func one(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(distDir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s in %s: %v, %v", pattern, distDir, found, err)
	}
	return found[0]
}

// TestDebian is the life of the packages on one machine.
func TestDebian(t *testing.T) {
	m := prepared(t)
	for name, pattern := range map[string]string{"d.deb": "sallyport_*_amd64.deb", "e.deb": "sallyport-edge_*_amd64.deb", "t.deb": "sallyport-tray_*_amd64.deb"} {
		m.host("cp", one(t, pattern), filepath.Join(m.root, "opt", name))
	}
	m.earlier("d.deb", "old.deb")
	before := m.traces()
	m.run("apt-get", "install", "-y", "--no-install-recommends", "/opt/old.deb")
	if state := m.run("systemctl", "is-active", "sallyportd"); state != "active" {
		t.Fatalf("after the install it is %s", state)
	}
	m.startUp("sallyportd")
	m.exposure("sallyportd")
	m.secondDaemon()
	m.run("apt-get", "install", "-y", "--no-install-recommends", "/opt/e.deb", "/opt/t.deb")
	m.world()
	m.signIn()
	m.sentence("after the install")
	m.refusedToBob()
	m.killed()
	m.watched("sallyportd")
	m.tunnelUp()
	m.reboot()
	m.atBoot()
	m.sentence("after a reboot")
	m.upgraded()
	m.exposure("sallyport-edge")
	m.run("rm", "/home/alice/ca.pem")
	m.run("apt-get", "purge", "-y", "sallyport", "sallyport-tray", "sallyport-edge")
	m.noTraces(before)
}

// startUp is how long a service took until it served, without any network.
func (m *machine) startUp(unit string) {
	m.Helper()
	times := strings.Fields(m.sh("systemctl show " + unit + " -P ExecMainStartTimestampMonotonic -P ActiveEnterTimestampMonotonic"))
	if len(times) != 2 {
		m.Fatalf("times %q", times)
	}
	started, err1 := strconv.Atoi(times[0])
	active, err2 := strconv.Atoi(times[1])
	if err1 != nil || err2 != nil {
		m.Fatal(err1, err2)
	}
	m.within(unit+" is ready without a network", time.Duration(active-started)*time.Microsecond)
	if got := m.run("systemctl", "show", "-P", "Type", unit); got != "notify" {
		m.Errorf("type %s", got)
	}
}

var exposed = regexp.MustCompile(`exposure level for \S+: ([0-9.]+)`)

// exposure prints systemd's own figure.
func (m *machine) exposure(unit string) {
	m.Helper()
	out := m.run("systemd-analyze", "security", "--no-pager", unit+".service")
	found := exposed.FindStringSubmatch(out)
	if found == nil {
		m.Fatal(out)
	}
	level, err := strconv.ParseFloat(found[1], 64)
	if err != nil || level > maximum {
		m.Errorf("systemd-analyze security %s: %s, at most %.1f is wanted", unit, found[1], maximum)
	}
	m.Logf("systemd-analyze security %s: %s", unit, found[1])
}

// secondDaemon: two never share a state directory.
func (m *machine) secondDaemon() {
	m.Helper()
	_, err := m.try("timeout", "3", "runuser", "-u", "sallyport", "--", "sallyportd", "run", "--socket", "/tmp/other/d.sock")
	if err == nil || !strings.Contains(err.Error(), "another sallyportd") {
		m.Errorf("a second daemon said %v", err)
	}
	m.Logf("a second daemon: %v", err)
}

// world sets up an edge, a tunnel and a forward, as the documents say.
func (m *machine) world() {
	m.Helper()
	m.initEdge()
	m.run("sallyport-edge", "service", "install")
	m.sh("echo '" + secret + "' | sallyport-edge person add " + person + " --password-stdin")
	m.run("sallyport-edge", "app", "add", app, "--allow", "domain:site.com")
	m.sh("sallyport edge use --machine localhost:8443 --ca /var/lib/sallyport-edge/ca/ca.pem || sallyport edge use --machine localhost:8443")
	m.sh("sallyport-edge token new --site site.com --hostnames '*.site.com' --json | sed -n 's/.*\"\\(secret\\|token\\)\": *\"\\([^\"]*\\)\".*/\\2/p' | tail -n 1 | sallyport tunnel join")
	m.run("sallyport", "tunnel", "add", app, "tcp://"+origin)
	m.sh("cp /var/lib/sallyport-edge/ca/ca.pem /home/alice/ca.pem && chmod 644 /home/alice/ca.pem")
	m.as("alice", "sallyport edge use localhost:8443 --ca /home/alice/ca.pem")
	m.as("alice", "sallyport forward add "+app+" "+entry)
	m.run("sallyport", "forward", "add", app, lowEntry)
	m.tunnelUp()
}

func (m *machine) initEdge() {
	m.Helper()
	m.run("sallyport-edge", "init", "--dir", "/etc/sallyport", "--state", "/var/lib/sallyport-edge", "--name", "localhost", "--site", "site.com", "--listen", "127.0.0.1:8443")
}

func (m *machine) as(user, line string) string {
	m.Helper()
	return m.run("runuser", "-u", user, "--", "sh", "-c", "cd; "+line)
}

func (m *machine) tunnelUp() {
	m.Helper()
	took := m.until("tunnel published", func() bool {
		out, err := m.try("sallyport", "tunnel", "list")
		return err == nil && strings.Contains(out, "published")
	})
	m.Logf("tunnel published after %d ms", took.Milliseconds())
}

var loginURL = regexp.MustCompile(`https?://\S+/login/\S+`)

// signIn is alice in a shell of the machine, with a browser elsewhere.
func (m *machine) signIn() {
	m.Helper()
	cmd, err := m.command(m.ctx, "runuser", "-u", "alice", "--", "sh", "-c", "cd; exec sallyport login --no-browser 2>&1")
	if err != nil {
		m.Fatal(err)
	}
	keyboard, err := cmd.StdinPipe()
	if err != nil {
		m.Fatal(err)
	}
	screen, err := cmd.StdoutPipe()
	if err != nil {
		m.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	var shown bytes.Buffer
	b := make([]byte, 4096)
	for !loginURL.Match(shown.Bytes()) {
		n, err := screen.Read(b)
		if err != nil {
			m.Fatalf("login: %v: %s", err, shown.Bytes())
		}
		shown.Write(b[:n])
	}
	code := m.run("env", helperEnv+"=1", "helper", "login", loginURL.FindString(shown.String()), person, secret)
	fmt.Fprintln(keyboard, code)
	keyboard.Close()
	rest, _ := io.ReadAll(screen)
	if err := cmd.Wait(); err != nil {
		m.Fatalf("login: %v: %s%s", err, shown.Bytes(), rest)
	}
}

// sentence goes through the forward to the origin and back.
func (m *machine) sentence(when string) {
	m.Helper()
	out := m.as("alice", helperEnv+"=1 helper say "+entry+" 'open sesame'")
	if out != "open sesame" {
		m.Errorf("%s the forward gives back %q", when, out)
	}
	m.Logf("%s a connection goes through", when)
}

// refusedToBob: a port belongs to one OS user, under the account too.
func (m *machine) refusedToBob() {
	m.Helper()
	out, err := m.try("runuser", "-u", "bob", "--", "env", helperEnv+"=1", "helper", "say", entry, "let me in")
	if err == nil || out != "" {
		m.Errorf("bob got %q, %v", out, err)
	}
}

// killed: back in two seconds, and nobody signs in again.
func (m *machine) killed() {
	m.Helper()
	m.within("back after kill -9", m.restarted("sallyportd", "-9"))
	m.tunnelUp()
	m.sentence("after kill -9")
}

// atBoot: what was kept is bound before anyone has logged in.
func (m *machine) atBoot() {
	m.Helper()
	if who := m.run("loginctl", "list-sessions", "--no-legend"); who != "" {
		m.Errorf("somebody is logged in: %s", who)
	}
	out := m.sh("ss -Hltn")
	for _, at := range []string{entry, lowEntry} {
		if !strings.Contains(out, at+" ") {
			m.Errorf("the forward %s is not bound after boot: %s", at, out)
		}
	}
	m.tunnelUp()
}
