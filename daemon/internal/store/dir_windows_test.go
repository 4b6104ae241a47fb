package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/windows"
)

// onWine: it takes access lists and links, and keeps neither.
var onWine = windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil

// scratch is a directory that Wine, too, has done with when the test ends.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "state-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestAccessListIsPrivate(t *testing.T) {
	self, err := ownSID()
	if err != nil {
		t.Fatal(err)
	}
	fresh, old := filepath.Join(scratch(t), "a", "fresh"), scratch(t)
	if err := os.WriteFile(filepath.Join(old, "file"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fresh, old, old} {
		if err := MakePrivate(path); err != nil {
			t.Fatal(err)
		}
		sd, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		if list := sd.String(); !isPrivate(list, self) && !onWine {
			t.Errorf("%s: %s", path, list)
		}
	}
}

func TestLinkIsNoStateDirectory(t *testing.T) {
	if onWine {
		t.Skip("a link is none under Wine")
	}
	dir := scratch(t)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(scratch(t), link); err != nil {
		t.Skip(err)
	}
	if err := MakePrivate(link); !errors.Is(err, ErrNotPrivate) {
		t.Errorf("%v, want ErrNotPrivate", err)
	}
	if err := MakePrivate(dir); !errors.Is(err, ErrNotPrivate) {
		t.Errorf("with a link in it: %v, want ErrNotPrivate", err)
	}
}

// TestOthersDirectory names one that TrustedInstaller owns.
func TestOthersDirectory(t *testing.T) {
	dir := os.Getenv("SystemRoot")
	h, err := openItself(dir, windows.READ_CONTROL)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(h)
	self, err := ownSID()
	if err != nil {
		t.Fatal(err)
	}
	if onWine {
		self = "S-1-5-19" // there everything is this user's
	}
	if _, err := ownedBy(h, dir, self); !errors.Is(err, ErrNotPrivate) {
		t.Errorf("got %v, want ErrNotPrivate", err)
	}
}
