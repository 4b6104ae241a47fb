//go:build linux

package packages

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// backWithin is how long the daemon may take until it serves, and until it is
// back after a kill: what is promised.
const backWithin = 2 * time.Second

// TestSysV is the installer, and then the package, where there is no systemd and
// scripts in /etc/init.d are all there is.
func TestSysV(t *testing.T) {
	m := unpacked(t)
	m.bare()
	before := m.traces()
	m.installedByScript("service")
	m.noTraces(before)
	m.edgeByScript()
	m.noTraces(before)
	m.packageByScript("service")
	m.noTraces(before)
}

// TestOpenRC is the same where OpenRC has started the machine, as on Alpine.
func TestOpenRC(t *testing.T) {
	debs := downloaded(t, "openrc")
	m := unpacked(t)
	m.bare()
	m.add(debs)
	m.write("/etc/inittab", "::sysinit:/sbin/openrc sysinit\n")
	m.sh("openrc sysinit; openrc boot; openrc default; rc-status")
	before := m.traces()
	m.installedByScript("rc-service")
	m.noTraces(before)
	m.edgeByScript()
	m.noTraces(before)
	m.packageByScript("rc-service")
	m.noTraces(before)
}

// downloaded are the packages of Debian that test/scripts/rootfs.sh keeps under a name;
// without them the test is skipped.
func downloaded(t *testing.T, name string) []string {
	t.Helper()
	debs, err := filepath.Glob(baseDir + "." + name + "/*.deb")
	if err != nil || len(debs) == 0 {
		t.Skipf("needs the packages of %s: %v", name, err)
	}
	return debs
}

// add installs packages without a network.
func (m *machine) add(debs []string) {
	m.Helper()
	m.host("cp", append(debs, filepath.Join(m.root, "var/tmp"))...)
	m.sh("dpkg -i /var/tmp/*.deb && rm /var/tmp/*.deb")
}

// unpacked is a machine that is off, with the archive in /opt.
func unpacked(t *testing.T) *machine {
	t.Helper()
	needed(t)
	m := newMachine(t, baseDir)
	m.host("tar", "-xzf", one(t, "sallyport-*-linux-amd64.tar.gz"), "-C", filepath.Join(m.root, "opt"), "--strip-components=1")
	m.host("cp", one(t, "sallyport_*_amd64.deb"), filepath.Join(m.root, "opt/d.deb"))
	m.write("/etc/hosts", "127.0.0.1 localhost\n")
	return m
}

const installer = "/opt/bin/sallyport-installer"

// installedByScript is the life of an installation; tool asks the manager.
func (m *machine) installedByScript(tool string) {
	m.Helper()
	m.run(installer, "install", "--role", "host")
	m.run("sallyport", "status")
	m.run(tool, "sallyportd", "status")
	m.Log(m.run("sallyport-installer", "verify"))
	m.steady()
	m.killedByScript()
	m.stopped(tool)
	m.run("sallyport", "edge", "use", "--machine", "edge.site.com")
	was := m.daemon()
	m.run(installer, "upgrade")
	if now := m.daemon(); now == was || now == "" {
		m.Errorf("process %q after the upgrade, %q before", now, was)
	}
	if out := m.run("sallyport", "edge", "list"); !strings.Contains(out, "edge.site.com") {
		m.Errorf("the upgrade lost state: %s", out)
	}
	m.run("sallyport-installer", "uninstall", "--purge")
}

// steady: installed again, it runs on.
func (m *machine) steady() {
	m.Helper()
	was := m.daemon()
	out := m.run("sallyportd", "service", "install")
	if now := m.daemon(); now != was || was == "" || !strings.Contains(out, "already") {
		m.Errorf("process %q after a second install, %q before: %s", now, was, out)
	}
}

// daemon is the process of the service, "" where it does not run.
func (m *machine) daemon() string {
	out, _ := m.try("pgrep", "-o", "-x", "-u", "sallyport", "sallyportd") // it may have a child that looks at the database
	return out
}

// killedByScript: it is back and serves. The time is taken in the machine, where
// entering it does not count.
func (m *machine) killedByScript() {
	m.Helper()
	was := m.daemon()
	out := m.sh(`ms() { echo $(($(cut -d " " -f 1 /proc/uptime | tr -d .) * 10)); }
		began=$(ms); kill -9 ` + was + `
		for i in $(seq 200); do
			now=$(pgrep -o -x -u sallyport sallyportd)
			[ -n "$now" ] && [ "$now" != ` + was + ` ] && sallyport status >/dev/null 2>&1 && break
			sleep 0.05
		done
		echo $now $(($(ms) - began))`)
	var pid, ms int
	if _, err := fmt.Sscan(out, &pid, &ms); err != nil || strconv.Itoa(pid) == was {
		m.Fatalf("after kill -9 of %s: %q, %v", was, out, err)
	}
	m.within("back after kill -9", time.Duration(ms)*time.Millisecond)
}

// within logs a figure, and fails where it is beyond all patience.
func (m *machine) within(what string, took time.Duration) {
	m.Helper()
	m.Logf("%s: %d ms", what, took.Milliseconds())
	if took > backWithin {
		m.Errorf("%s: %v, at most %v is wanted", what, took, backWithin)
	}
}

// stopped: what a person stops stays so, and both who ask are told.
func (m *machine) stopped(tool string) {
	m.Helper()
	m.run("sallyportd", "service", "stop")
	if pid := m.daemon(); pid != "" {
		m.Errorf("process %s after stop", pid)
	}
	if out, err := m.try(tool, "sallyportd", "status"); err == nil {
		m.Errorf("%s says of a stopped service: %s", tool, out)
	}
	if out := m.run("sallyportd", "service", "status"); !strings.Contains(out, "stopped") {
		m.Errorf("status of a stopped service: %s", out)
	}
	m.run("sallyportd", "service", "start")
	if out := m.run("sallyportd", "service", "status"); !strings.Contains(out, "running") {
		m.Errorf("status of a running service: %s", out)
	}
}

// edgeByScript is the edge in short.
func (m *machine) edgeByScript() {
	m.Helper()
	m.run(installer, "install", "--role", "edge")
	m.initEdge()
	m.run("sallyport-edge", "service", "install")
	m.run("sallyport-edge", "app", "list")
	m.run("sallyport-installer", "verify")
	m.run("sallyport-installer", "uninstall", "--purge")
}

// packageByScript: the package brings no script; `service install` writes it,
// and removing the package takes it away.
func (m *machine) packageByScript(tool string) {
	m.Helper()
	m.run("dpkg", "-i", "/opt/d.deb")
	m.run("sallyportd", "service", "install")
	m.steady()
	was := m.daemon()
	m.run("dpkg", "-i", "/opt/d.deb")
	if now := m.daemon(); now == was || now == "" {
		m.Errorf("process %q after the package's upgrade, %q before", now, was)
	}
	m.run(tool, "sallyportd", "status")
	m.run("dpkg", "--purge", "sallyport")
	if pid := m.daemon(); pid != "" {
		m.Errorf("process %s after the purge", pid)
	}
}
