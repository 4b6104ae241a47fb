//go:build linux

package packages

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Where things are on Wine's desktop of 800 by 600: the icon in its bar, and an
// entry of the menu that opens above it, whose end does not depend on what the
// service says.
var (
	trayIcon     = []string{"790", "590"}
	pauseForward = []string{"300", "458"}
)

// trayActs starts the tray on a desktop, opens its menu with a click on the icon,
// and pauses all forwards with a click on an entry.
func (w *wine) trayActs() {
	w.Helper()
	for _, tool := range []string{"Xvfb", "xdotool", "import"} {
		if _, err := exec.LookPath(tool); err != nil {
			w.Log("the tray is left out: needs ", tool)
			return
		}
	}
	defer w.screen()()
	end := w.start("explorer", "/desktop=sallyport,800x600", `C:\Program Files\Sallyport\sallyport-tray.exe`)
	defer end()
	defer w.run("taskkill", "/f", "/im", "sallyport-tray.exe")
	shots := os.Getenv("SALLYPORT_SHOTS") // as the stories of test/e2e
	if shots == "" {
		shots = w.dir
	}
	if err := os.MkdirAll(shots, 0o700); err != nil {
		w.Fatal(err)
	}
	for started := time.Now(); !w.menuIsOpen(); {
		if time.Since(started) > patience {
			w.Error("the tray opens no menu")
			return
		}
		w.click(trayIcon)
	}
	w.tool("import", "-window", "root", filepath.Join(shots, "windows-tray.png"))
	w.click(pauseForward)
	w.says("paused", windowsCtl, "forward", "list")
}

func (w *wine) click(at []string) {
	w.Helper()
	w.tool("xdotool", "mousemove", at[0], at[1], "click", "1")
}

// menuIsOpen looks for a while: of the tray's windows only the menu is ever seen.
func (w *wine) menuIsOpen() bool {
	for range 50 {
		cmd := exec.Command("xdotool", "search", "--onlyvisible", "--class", "sallyport-tray")
		cmd.Env = w.env
		if cmd.Run() == nil {
			return true
		}
	}
	return false
}

// screen gives Windows a screen, until end is called.
func (w *wine) screen() (end func()) {
	w.Helper()
	number, say, err := os.Pipe()
	if err != nil {
		w.Fatal(err)
	}
	defer number.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{say}
	err = cmd.Start()
	say.Close()
	if err != nil {
		w.Fatal(err)
	}
	without := w.env
	end = func() { w.env = without; cmd.Process.Kill(); cmd.Wait() }
	var b [8]byte
	n, err := io.ReadAtLeast(number, b[:], 2)
	if err != nil {
		end()
		w.Fatal("Xvfb: ", err)
	}
	w.env = append(without[:len(without):len(without)], "DISPLAY=:"+strings.TrimSpace(string(b[:n])))
	return end
}
