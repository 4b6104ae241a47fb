//go:build linux

package packages

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/manifest"
)

// compareWithManifest holds the machine against the manifest, both ways.
func (m *machine) compareWithManifest() {
	m.Helper()
	want := map[string]string{}
	for _, p := range manifest.Parts {
		for _, e := range append(manifest.PackageEntries(manifest.Deb, p), manifest.Directories(p)...) {
			want[e.Path] = fmt.Sprintf("%s:%s %o", e.OwnerName(), e.GroupName(), e.Mode)
		}
	}
	for path, row := range want {
		if got := m.run("stat", "-c", "%U:%G %a", path); got != row {
			m.Errorf("%s is %s, the manifest says %s", path, got, row)
		}
	}
	for _, p := range manifest.Parts {
		for _, path := range strings.Split(m.run("dpkg", "-L", string(p)), "\n") {
			info, err := os.Lstat(filepath.Join(m.root, path))
			if err == nil && info.IsDir() {
				continue
			}
			if want[path] == "" {
				m.Errorf("%s has %s, of which the manifest knows nothing", p, path)
			}
		}
	}
	ours := m.sh(`find / -xdev \( -path /proc -o -path /sys -o -path /opt -o -path /var/lib/dpkg -o -path /var/cache -o -path /run -o -path /var/lib/systemd -o -path /etc/systemd -o -path /var/tmp \) -prune -o -iname '*sallyport*' -print`)
	for _, path := range strings.Split(ours, "\n") {
		parent := slices.ContainsFunc([]string{"/usr/share/doc/", "/usr/share/licenses/"}, func(d string) bool { return strings.HasPrefix(path, d) })
		if want[path] == "" && !parent && filepath.Dir(path) != "/var/lib/sallyport" {
			m.Errorf("%s is there, of which the manifest knows nothing", path)
		}
	}
}

// traces are everything that an installation could leave: files and directories
// (those of logs and caches aside), accounts, units, processes. A unit of which
// systemd knows no more than that there is none is none.
func (m *machine) traces() []string {
	m.Helper()
	files := m.sh(`find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /root -o -path /var/log -o -path /var/cache -o -path /var/lib/apt \
		-o -path /var/lib/dpkg -o -path /var/tmp -o -path /var/lib/systemd/random-seed -o -path /run/systemd -o -path /run/udev -o -name '*-' -o -name '*.lock' \) -prune -o -print; find /run /tmp /var -iname '*sallyport*'`)
	rest := m.sh(`cat /etc/passwd /etc/group; systemctl list-unit-files --no-legend | grep -i sallyport; systemctl list-units --all --no-legend | grep -i sallyport | grep -v 'not-found *inactive'; ps -eo comm | grep sallyport; true`)
	lines := strings.Split(files+"\n"+rest, "\n")
	slices.Sort(lines)
	return slices.Compact(lines)
}

// noTraces fails where the machine does not come to be as before: systemd
// forgets units a moment after they are gone.
func (m *machine) noTraces(before []string) {
	m.Helper()
	var left []string
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range 5 {
		if left = differences(before, m.traces()); len(left) == 0 {
			m.Log("purge left 0 files, services, users")
			return
		}
		<-tick.C
	}
	m.Errorf("purge left %d traces:\n%s", len(left), strings.Join(left, "\n"))
}

// differences are the lines of either that are not in the other.
func differences(before, after []string) []string {
	var out []string
	for _, l := range after {
		if !slices.Contains(before, l) {
			out = append(out, "+"+l)
		}
	}
	for _, l := range before {
		if !slices.Contains(after, l) {
			out = append(out, "-"+l)
		}
	}
	return out
}
