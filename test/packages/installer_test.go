//go:build linux

package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstaller is the archive on a machine that takes no package.
func TestInstaller(t *testing.T) {
	m := prepared(t)
	m.host("tar", "-xzf", one(t, "sallyport-*-linux-amd64.tar.gz"), "-C", filepath.Join(m.root, "opt"), "--strip-components=1")
	before := m.traces()
	m.run("/opt/bin/sallyport-installer", "install", "--role", "host")
	m.run("sallyport", "status")
	m.Log(m.run("sallyport-installer", "verify"))
	m.run("/opt/bin/sallyport-installer", "install", "--role", "client")
	m.run("sallyportd", "service", "install") // again: nothing changes
	m.run("sallyport", "edge", "use", "--machine", "edge.site.com")
	was := m.mainPID("sallyportd")
	m.run("/opt/bin/sallyport-installer", "upgrade")
	if now := m.mainPID("sallyportd"); now == was || now == 0 {
		t.Errorf("process %d after the upgrade, %d before", now, was)
	}
	if out := m.run("sallyport", "edge", "list"); !strings.Contains(out, "edge.site.com") {
		t.Errorf("the upgrade lost state: %s", out)
	}
	m.run("sallyport-installer", "verify")
	m.write("/usr/bin/sallyport", "something else")
	if out, err := m.try("sallyport-installer", "verify"); err == nil || !strings.Contains(out, "/usr/bin/sallyport was changed") {
		t.Errorf("verify says %q, %v", out, err)
	}
	m.run("sallyport-installer", "uninstall")
	if _, err := os.Stat(filepath.Join(m.root, "var/lib/sallyport")); err != nil {
		t.Errorf("uninstall took the state: %v", err)
	}
	m.run("/opt/bin/sallyport-installer", "install", "--role", "host")
	m.run("sallyport-installer", "uninstall", "--purge")
	m.noTraces(before)
}
