//go:build linux

package packages

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRPM is the life of the rpm packages, their scripts and unit with them, under a real
// systemd. The machine is a Debian that has rpm, which knows nothing of what Debian's
// packages provide: that is what --nodeps leaves out.
func TestRPM(t *testing.T) {
	debs := downloaded(t, "rpm")
	m := prepared(t)
	m.add(debs)
	for name, pattern := range map[string]string{"d.rpm": "sallyport-[0-9]*.x86_64.rpm", "e.rpm": "sallyport-edge-*.x86_64.rpm", "t.rpm": "sallyport-tray-*.x86_64.rpm"} {
		m.host("cp", one(t, pattern), filepath.Join(m.root, "opt", name))
	}
	m.run("rpm", "-i", "--nodeps", "/opt/d.rpm", "/opt/e.rpm", "/opt/t.rpm")
	m.verifiedByRPM()
	m.startUp("sallyportd")
	m.world()
	m.signIn()
	m.sentence("after the install")
	m.killed()
	m.reboot()
	m.atBoot()
	m.sentence("after a reboot")
	was := m.mainPID("sallyportd")
	m.run("rpm", "-U", "--nodeps", "--force", "/opt/d.rpm")
	if now := m.mainPID("sallyportd"); now == was || now == 0 {
		m.Errorf("process %d after the upgrade, %d before", now, was)
	}
	m.verifiedByRPM()
	m.tunnelUp()
	m.sentence("after an upgrade")
	m.run("rpm", "-e", "sallyport", "sallyport-tray", "sallyport-edge")
	m.erasedByRPM()
}

// verifiedByRPM: owners, modes and sums are those of the packages. That the edge has no
// configuration before its init is not theirs.
func (m *machine) verifiedByRPM() {
	m.Helper()
	if out, err := m.try("rpm", "-V", "--nodeps", "sallyport", "sallyport-tray", "sallyport-edge"); err != nil {
		m.Errorf("rpm -V: %v: %s", err, out)
	}
}

// erasedByRPM: what runs and what starts it are gone; state and account stay, as the
// documents say.
func (m *machine) erasedByRPM() {
	m.Helper()
	left := m.sh(`systemctl list-unit-files --no-legend | grep -i sallyport; ps -eo comm | grep sallyport; find /usr /etc/systemd /lib/systemd /etc/xdg -iname '*sallyport*'; true`)
	if left != "" {
		m.Errorf("rpm -e left:\n%s", left)
	}
	kept := m.sh("stat -c %U /var/lib/sallyport; getent passwd sallyport")
	if !strings.HasPrefix(kept, "sallyport\n") {
		m.Errorf("state and account after rpm -e: %s", kept)
	}
}
