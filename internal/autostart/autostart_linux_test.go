package autostart

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/needs"
)

// home gives the test a person of its own, and gives the folders of the machine
// and of the person.
func home(t *testing.T) (machine, own string) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_DIRS", filepath.Join(dir, "etc"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "home"))
	return filepath.Join(dir, "etc", "autostart", FileName), filepath.Join(dir, "home", "autostart", FileName)
}

func check(t *testing.T, want bool) {
	t.Helper()
	if on, err := Enabled(); err != nil || on != want {
		t.Errorf("enabled %v, %v; want %v", on, err, want)
	}
}

func change(t *testing.T, on bool) {
	t.Helper()
	for range 2 { // twice is as once
		if err := Set(on, "/opt/sallyport-tray"); err != nil {
			t.Fatal(err)
		}
		check(t, on)
	}
}

func TestOwnEntry(t *testing.T) {
	_, own := home(t)
	check(t, false)
	change(t, true)
	b, err := os.ReadFile(own)
	if err != nil || !strings.Contains(string(b), "Exec=\"/opt/sallyport-tray\"\n") {
		t.Errorf("%v: %s", err, b)
	}
	change(t, false)
	if exists(own) {
		t.Error("an entry is left")
	}
}

// Where a package starts the tray for everybody, a person hides that.
func TestMachinesEntry(t *testing.T) {
	machine, own := home(t)
	if err := write(machine, Entry("/usr/bin/sallyport-tray")); err != nil {
		t.Fatal(err)
	}
	check(t, true)
	change(t, false)
	if b, _ := os.ReadFile(own); !strings.Contains(string(b), "Hidden=true") {
		t.Errorf("entry: %s", b)
	}
	change(t, true)
	if exists(own) {
		t.Error("an entry is left")
	}
}

func TestRefusesRelative(t *testing.T) {
	home(t)
	if Set(true, "sallyport-tray") == nil {
		t.Error("a relative path was taken")
	}
}

// The desktop's own checker likes the entries.
func TestEntriesAreValid(t *testing.T) {
	t.Parallel()
	tool := needs.Program(t, "desktop-file-validate")
	for name, text := range map[string]string{"plain": Entry("/usr/bin/sallyport-tray"), "odd": Entry(`/opt/my "own" $dir/100%/tray`), "hidden": hidden} {
		file := filepath.Join(t.TempDir(), name+".desktop")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), tool, file).CombinedOutput(); err != nil && name != "hidden" {
			t.Errorf("%s: %s", name, out)
		}
	}
}
