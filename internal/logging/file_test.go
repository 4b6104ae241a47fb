package logging

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFileTurnsOver(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log", "d.log")
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f.max = 10
	for _, line := range []string{"one...\n", "two...\n", "three.\n", "four..\n", "five..\n"} {
		if _, err := f.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("late")); err == nil {
		t.Error("a closed file was written to")
	}
	for name, want := range map[string]string{path: "five", path + ".1": "four", path + ".3": "two"} {
		if b, err := os.ReadFile(name); err != nil || !strings.HasPrefix(string(b), want) {
			t.Errorf("%s holds %q, %v; want %s", name, b, err, want)
		}
	}
	if _, err := os.Stat(path + ".4"); err == nil {
		t.Error("more files are kept than promised")
	}
	again, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.size == 0 {
		t.Error("an existing file was not appended to")
	}
}
