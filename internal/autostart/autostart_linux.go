package autostart

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const suffix = ""

// FileName is the name of the entry in the folder autostart. A person's own
// hides the machine's of the same name.
const FileName = Program + ".desktop"

// Entry is a desktop entry that starts the tray.
func Entry(tray string) string {
	return "[Desktop Entry]\nType=Application\nName=Sallyport\nComment=Reach services after one sign-in\n" +
		"Exec=" + quote(tray) + "\nIcon=sallyport\nTerminal=false\nCategories=Network;\nNoDisplay=true\n"
}

// hidden is an entry that hides the machine's.
const hidden = "[Desktop Entry]\nType=Application\nName=Sallyport\nHidden=true\n"

// quote writes a path as the specification of desktop entries wants arguments
// of Exec; % begins a field code there.
func quote(path string) string {
	r := strings.NewReplacer(`\`, `\\\\`, `"`, `\\"`, "`", "\\\\`", `$`, `\\$`, `%`, `%%`)
	return `"` + r.Replace(path) + `"`
}

func ownFile() (string, error) {
	dir := os.Getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("start at login: %w", err)
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "autostart", FileName), nil
}

// machineFiles are where a package may have put the entry.
func machineFiles() []string {
	dirs := filepath.SplitList(os.Getenv("XDG_CONFIG_DIRS"))
	if len(dirs) == 0 {
		dirs = []string{"/etc/xdg"}
	}
	var files []string
	for _, dir := range dirs {
		if filepath.IsAbs(dir) {
			files = append(files, filepath.Join(dir, "autostart", FileName))
		}
	}
	return files
}

func forEverybody() bool {
	for _, f := range machineFiles() {
		if exists(f) {
			return true
		}
	}
	return false
}

func enabled() (bool, error) {
	own, err := ownFile()
	if err != nil {
		return false, err
	}
	b, err := os.ReadFile(own)
	if errors.Is(err, fs.ErrNotExist) {
		return forEverybody(), nil
	}
	if err != nil {
		return false, fmt.Errorf("start at login: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if strings.TrimSpace(key) == "Hidden" && strings.TrimSpace(value) == "true" {
			return false, nil
		}
	}
	return true, nil
}

func set(on bool, tray string) error {
	own, err := ownFile()
	if err != nil {
		return err
	}
	switch {
	case on == forEverybody():
		return remove(own)
	case on:
		return write(own, Entry(tray))
	}
	return write(own, hidden)
}
