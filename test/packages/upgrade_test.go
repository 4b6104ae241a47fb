//go:build linux

package packages

import (
	"os"
	"path/filepath"
)

const earlierVersion = "0.0.0~before"

// earlier makes of a package one of an earlier version, which holds the same but
// for its version and one file that the later one has no more.
func (m *machine) earlier(from, to string) {
	m.Helper()
	opt, tree := filepath.Join(m.root, "opt"), filepath.Join(m.dir, "earlier")
	m.host("dpkg-deb", "--raw-extract", filepath.Join(opt, from), tree)
	control := filepath.Join(tree, "DEBIAN/control")
	m.host("sed", "-i", "s/^Version: .*/Version: "+earlierVersion+"/", control)
	if err := os.WriteFile(filepath.Join(tree, "usr/share/doc/sallyport/of-before"), nil, 0o644); err != nil {
		m.Fatal(err)
	}
	m.host("dpkg-deb", "--root-owner-group", "--build", tree, filepath.Join(opt, to))
}

// upgraded: a later package restarts the service, keeps state, and takes away
// what it has no more.
func (m *machine) upgraded() {
	m.Helper()
	version := func() string { return m.run("dpkg-query", "-W", "-f", "${Version}", "sallyport") }
	if v := version(); v != earlierVersion {
		m.Errorf("before the upgrade it is version %s", v)
	}
	was := m.mainPID("sallyportd")
	m.run("apt-get", "install", "-y", "--no-install-recommends", "/opt/d.deb")
	if v := version(); v == earlierVersion {
		m.Errorf("after the upgrade it is version %s still", v)
	}
	if now := m.mainPID("sallyportd"); now == was || now == 0 {
		m.Errorf("process %d after the upgrade, %d before", now, was)
	}
	if _, err := os.Stat(filepath.Join(m.root, "usr/share/doc/sallyport/of-before")); err == nil {
		m.Error("a file of the earlier version is left")
	}
	m.compareWithManifest()
	m.tunnelUp()
	m.sentence("after an upgrade")
}
