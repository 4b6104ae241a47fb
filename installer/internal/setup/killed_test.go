//go:build linux

package setup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/manifest"
)

// TestKilledUpgrade is the next upgrade after one that was killed: it comes up
// to the new version, and where it fails, the last whole one comes back.
func TestKilledUpgrade(t *testing.T) {
	t.Parallel()
	const link, config, late = "usr/bin/sallyport", "etc/xdg/autostart/sallyport-tray.desktop", "usr/share/man/man1/sallyport-tray.1.gz"
	for name, kill := range map[string]func(t *testing.T, o Options){
		"before the rename": func(t *testing.T, o Options) {
			path := filepath.Join(o.Root, link)
			must(t, os.Link(path, path+".sallyport-old"))
			write(t, o.Root, link+".sallyport-new", "half of")
		},
		"after it": func(t *testing.T, o Options) {
			for _, name := range []string{link, config} {
				path := filepath.Join(o.Root, name)
				must(t, os.Rename(path, path+".sallyport-old"))
				write(t, o.Root, name, "second, or another")
			}
		},
		"while it tidied up": func(t *testing.T, o Options) {
			write(t, o.Root, link+".sallyport-old", "older than the first")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := settled(t)
			o.Role = manifest.Client
			must(t, do(t, o, (*Setup).Install))
			whole := snapshot(t, o.Root)
			kill(t, o)
			second(t, o)

			stone := filepath.Join(o.Root, late)
			text, err := os.ReadFile(stone)
			must(t, err)
			must(t, os.Remove(stone))
			write(t, o.Root, late+"/in the way", "")
			if err := do(t, o, (*Setup).Upgrade); err == nil || !strings.Contains(err.Error(), "everything was undone") {
				t.Fatalf("got %v", err)
			}
			must(t, os.RemoveAll(stone))
			write(t, o.Root, late, string(text))
			same(t, "undone", whole, snapshot(t, o.Root))

			kill(t, o)
			must(t, do(t, o, (*Setup).Upgrade))
			if found := verified(t, o); len(found) > 0 {
				t.Errorf("after the next upgrade: %q", found)
			}
			if text, err := os.ReadFile(filepath.Join(o.Root, config)); err != nil || !strings.HasPrefix(string(text), "second share") {
				t.Errorf("the new configuration is %q, %v", text, err)
			}
		})
	}
}

// TestKilledThenPurged: what a killed upgrade left goes too.
func TestKilledThenPurged(t *testing.T) {
	t.Parallel()
	o := tree(t)
	before := snapshot(t, o.Root)
	o.Role, o.Purge = manifest.Host, true
	must(t, do(t, o, (*Setup).Install))
	write(t, o.Root, "usr/bin/sallyport.sallyport-old", "")
	write(t, o.Root, "usr/bin/sallyportd.sallyport-new", "")
	must(t, do(t, o, (*Setup).Uninstall))
	same(t, "purged", before, snapshot(t, o.Root))
}

// TestInitScriptIsOurs: where there is no systemd, the service has a script and
// links of its own.
func TestInitScriptIsOurs(t *testing.T) {
	t.Parallel()
	o := tree(t)
	before := snapshot(t, o.Root)
	o.Role, o.Purge = manifest.Host, true
	must(t, do(t, o, (*Setup).Install))
	dirs := []string{"etc/init.d", "etc/rc2.d", "etc/rc6.d", "etc/runlevels/default"}
	for _, name := range []string{"etc/init.d/sallyportd", "etc/rc2.d/S01sallyportd", "etc/rc6.d/K02sallyportd", "etc/runlevels/default/sallyportd"} {
		write(t, o.Root, name, "")
	}
	if found := verified(t, o); len(found) > 0 {
		t.Errorf("verify says %q", found)
	}
	write(t, o.Root, "etc/rc2.d/S50sallyport-edge", "")
	if found := verified(t, o); len(found) != 1 {
		t.Errorf("of what is not installed verify says %q", found)
	}
	must(t, os.Remove(filepath.Join(o.Root, "etc/rc2.d/S50sallyport-edge")))
	must(t, do(t, o, (*Setup).Uninstall))
	for _, dir := range append(dirs, "etc/runlevels") {
		must(t, os.Remove(filepath.Join(o.Root, dir))) // they were the system's
	}
	same(t, "purged", before, snapshot(t, o.Root))
}
