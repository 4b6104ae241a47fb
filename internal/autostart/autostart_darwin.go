package autostart

import (
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const suffix = ""

// Label names the LaunchAgent; FileName is its file in a folder LaunchAgents.
const (
	Label    = "com.sallyport.tray"
	FileName = Label + ".plist"
)

// launchctlTime bounds a call of launchctl, which answers at once.
const launchctlTime = 10 * time.Second

// Entry is a LaunchAgent that starts the tray in a graphical session.
func Entry(tray string) string {
	var path strings.Builder
	xml.EscapeText(&path, []byte(tray)) // a strings.Builder takes everything
	return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>Label</key><string>` + Label + `</string>
<key>ProgramArguments</key><array><string>` + path.String() + `</string></array>
<key>RunAtLoad</key><true/>
<key>LimitLoadToSessionType</key><string>Aqua</string>
</dict></plist>
`
}

func ownFile() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("start at login: %w", err)
	}
	return filepath.Join(home, "Library", "LaunchAgents", FileName), nil
}

func forEverybody() bool { return exists(filepath.Join("/Library/LaunchAgents", FileName)) }

// launchctl speaks to the person's own launchd, which remembers what is
// disabled.
func launchctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), launchctlTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "/bin/launchctl", args...).Output()
	if err != nil {
		return "", fmt.Errorf("start at login: launchctl %s: %w", args[0], err)
	}
	return string(out), nil
}

func domain() string { return "gui/" + strconv.Itoa(os.Getuid()) }

func enabled() (bool, error) {
	own, err := ownFile()
	if err != nil {
		return false, err
	}
	if !exists(own) && !forEverybody() {
		return false, nil
	}
	list, err := launchctl("print-disabled", domain())
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(list) {
		if strings.Contains(line, `"`+Label+`"`) {
			return !strings.Contains(line, "true") && !strings.Contains(line, "=> disabled"), nil
		}
	}
	return true, nil
}

func set(on bool, tray string) error {
	own, err := ownFile()
	if err != nil {
		return err
	}
	verb := "disable"
	if on {
		verb = "enable"
	}
	if on && !forEverybody() {
		err = write(own, Entry(tray))
	} else {
		err = remove(own)
	}
	if err != nil {
		return err
	}
	_, err = launchctl(verb, domain()+"/"+Label)
	return err
}
