//go:build linux

package packages

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestInstaller is the archive on a machine that takes no package.
func TestInstaller(t *testing.T) {
	m := unpacked(t)
	m.boot()
	before := m.traces()
	m.run(installer, "install", "--role", "host")
	m.run("sallyport", "status")
	m.Log(m.run("sallyport-installer", "verify"))
	m.run(installer, "install", "--role", "client")
	m.run("sallyportd", "service", "install") // again: nothing changes
	m.run("sallyport", "edge", "use", "--machine", "edge.site.com")
	was := m.mainPID("sallyportd")
	m.run(installer, "upgrade")
	if now := m.mainPID("sallyportd"); now == was || now == 0 {
		t.Errorf("process %d after the upgrade, %d before", now, was)
	}
	if out := m.run("sallyport", "edge", "list"); !strings.Contains(out, "edge.site.com") {
		t.Errorf("the upgrade lost state: %s", out)
	}
	m.run("sallyport-installer", "verify")
	m.brokenUpgrades()
	m.write("/usr/bin/sallyport", "something else")
	if out, err := m.try("sallyport-installer", "verify"); err == nil || !strings.Contains(out, "/usr/bin/sallyport was changed") {
		t.Errorf("verify says %q, %v", out, err)
	}
	m.run("sallyport-installer", "uninstall")
	if _, err := os.Stat(filepath.Join(m.root, "var/lib/sallyport")); err != nil {
		t.Errorf("uninstall took the state: %v", err)
	}
	m.run(installer, "install", "--role", "host")
	m.run("sallyport-installer", "uninstall", "--purge")
	m.noTraces(before)
}

// broken are programs in the place of sallyportd that do not come up as one.
var broken = map[string]string{
	"it does nothing":       "#!/bin/sh\nexit 1\n",
	"the service ends":      "#!/bin/sh\n[ \"$1\" = run ] && exit 1\nexec /opt/bin/sallyportd \"$@\"\n",
	"another one is served": "#!/bin/sh\n[ \"$1\" = service ] && exec /opt/bin/sallyportd \"$@\"\nexit 0\n",
}

// brokenUpgrades: an upgrade whose service does not start brings the old files
// back, and the old service.
func (m *machine) brokenUpgrades() {
	m.Helper()
	m.run("cp", "-a", "/opt/.", "/srv/later")
	files := func() string {
		return m.sh("sha256sum /usr/bin/sallyport* /usr/lib/systemd/system/sallyport* /usr/share/man/man?/sallyport* /usr/local/lib/sallyport/receipt.json; stat -c '%n %a %U:%G' /usr/bin/sallyport* /var/lib/sallyport")
	}
	m.sh("echo later >>/srv/later/share/man/man1/sallyport.1.gz; echo '# later' >>/srv/later/share/sallyportd.service")
	before := files()
	for name, program := range broken {
		m.write("/srv/later/bin/sallyportd", program)
		out, err := m.try(installer, "upgrade", "--from", "/srv/later")
		if err == nil || !strings.Contains(err.Error(), "everything was undone") {
			m.Errorf("%s: upgrade says %v\n%s", name, err, out)
		}
		if after := files(); after != before {
			m.Errorf("%s: files were\n%s\nand are\n%s", name, before, after)
		}
		m.servesAgain(name)
	}
	m.run("rm", "-r", "/srv/later")
}

// servesAgain: the old program runs, with what it kept.
func (m *machine) servesAgain(when string) {
	m.Helper()
	if state := m.run("systemctl", "is-active", "sallyportd"); state != "active" {
		m.Errorf("%s: the service is %s", when, state)
	}
	if program := m.sh("readlink /proc/$(systemctl show -P MainPID sallyportd)/exe"); program != "/usr/bin/sallyportd" {
		m.Errorf("%s: %s runs", when, program)
	}
	if out := m.run("sallyport", "edge", "list"); !strings.Contains(out, "edge.site.com") {
		m.Errorf("%s: its state is %s", when, out)
	}
}

// TestInstallerEdge is the archive with an edge in it.
func TestInstallerEdge(t *testing.T) {
	m := unpacked(t)
	m.boot()
	before := m.traces()
	if out := m.run(installer, "install", "--role", "edge"); !strings.Contains(out, "sallyport-edge init") {
		t.Errorf("an edge without a file: %s", out)
	}
	m.run("sallyport-installer", "verify")
	m.initEdge()
	m.run("sallyport-edge", "service", "install")
	m.run("sallyport-edge", "app", "add", app, "--allow", "domain:site.com")
	m.startUp("sallyport-edge")
	was := m.mainPID("sallyport-edge")
	m.run(installer, "upgrade")
	if now := m.mainPID("sallyport-edge"); now == was || now == 0 {
		t.Errorf("process %d after the upgrade, %d before", now, was)
	}
	if out := m.run("sallyport-edge", "app", "list"); !strings.Contains(out, app) {
		t.Errorf("the upgrade lost state: %s", out)
	}
	m.restarted("sallyport-edge", "-9")
	m.watched("sallyport-edge")
	m.run("sallyport-installer", "verify")
	m.run("sallyport-installer", "uninstall", "--purge")
	m.noTraces(before)
}

// restarted sends a service a signal, and waits for systemd to bring it back.
func (m *machine) restarted(unit, signal string) time.Duration {
	m.Helper()
	was := strconv.Itoa(m.mainPID(unit))
	m.run("kill", signal, was)
	return m.until("back after kill "+signal, func() bool {
		out, err := m.try("systemctl", "show", unit, "-P", "MainPID", "-P", "ActiveState")
		f := strings.Fields(out)
		return err == nil && len(f) == 2 && f[0] != "0" && f[0] != was && f[1] == "active"
	})
}

// watched: a service that hangs is ended by systemd's watchdog, and one that
// does not tells it that it lives. The minute of the unit is two seconds here.
func (m *machine) watched(unit string) {
	m.Helper()
	if limit := m.run("systemctl", "show", "-P", "WatchdogUSec", unit); limit != "1min" {
		m.Errorf("the watchdog of %s waits %s", unit, limit)
	}
	dir := "/etc/systemd/system/" + unit + ".service.d"
	m.sh("mkdir -p " + dir + " && printf '[Service]\\nWatchdogSec=2\\n' >" + dir + "/quick.conf && systemctl daemon-reload && systemctl restart " + unit)
	was := m.mainPID(unit)
	for range 2 {
		told := m.run("systemctl", "show", "-P", "WatchdogTimestampMonotonic", unit)
		m.until("a word for the watchdog", func() bool {
			return m.run("systemctl", "show", "-P", "WatchdogTimestampMonotonic", unit) != told
		})
	}
	if now := m.mainPID(unit); now != was {
		m.Errorf("%s lives, and the watchdog ended it: process %d, before %d", unit, now, was)
	}
	took := m.restarted(unit, "-STOP")
	m.Logf("%s hangs: another one runs after %d ms", unit, took.Milliseconds())
	if took > 2*time.Second+backWithin {
		m.Errorf("%s hangs: another one runs after %v", unit, took)
	}
	m.sh("rm -r " + dir + " && systemctl daemon-reload && systemctl restart " + unit)
}
