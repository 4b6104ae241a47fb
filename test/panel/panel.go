//go:build linux

// Package panel is a person's desktop for tests: a screen (Xvfb) with a session
// bus, a window manager, xfce4-panel, which shows the icons of trays, and dunst,
// which shows notifications. It looks at the tray as panels do, over D-Bus, and
// works it by D-Bus or by the mouse.
//
// Shapes: a Desktop owns its processes; an Item is a tray's icon and menu in it.
//
// Errors: ErrMissing where a program is not installed.
package panel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// ErrMissing: a program of the desktop is not installed.
var ErrMissing = errors.New("no desktop to show trays in (make deps)")

// programs are what a desktop is made of.
var programs = []string{"dbus-daemon", "Xvfb", "xfwm4", "xfce4-panel", "dunst", "dunstctl", "xdotool", "import", "xclip"}

// settings is the panel's memory, which D-Bus starts; the folder is named after
// the processor.
const settings = "/usr/lib/*/xfce4/xfconf/xfconfd"

// Desktop is a running desktop.
type Desktop struct {
	// Dir is the person's home.
	Dir string
	// Display and Bus are what DISPLAY and DBUS_SESSION_BUS_ADDRESS say there.
	Display, Bus string

	conn      *dbus.Conn
	processes []*exec.Cmd
	panel     *exec.Cmd
	log       *os.File
}

// Start makes a desktop without a panel; dir is made if need be.
func Start(ctx context.Context, dir string) (*Desktop, error) {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return nil, errors.Join(ErrMissing, err)
		}
	}
	memory, _ := filepath.Glob(settings)
	if len(memory) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrMissing, settings)
	}
	d := &Desktop{Dir: dir}
	err := d.start(ctx, memory[0])
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Desktop) start(ctx context.Context, memory string) error {
	if err := os.MkdirAll(filepath.Join(d.Dir, "run"), 0o700); err != nil {
		return err
	}
	if err := d.configure(); err != nil {
		return err
	}
	var err error
	if d.log, err = os.Create(filepath.Join(d.Dir, "desktop.log")); err != nil {
		return err
	}
	if d.Bus, err = d.startAndRead(ctx, "dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=3"); err != nil {
		return err
	}
	number, err := d.startAndRead(ctx, "Xvfb", "-displayfd", "3", "-screen", "0", "1024x768x24", "-nolisten", "tcp")
	if err != nil {
		return err
	}
	d.Display = ":" + number
	for _, p := range []string{memory, "xfwm4", "dunst"} {
		if _, err := d.run(p); err != nil {
			return err
		}
	}
	if d.conn, err = dbus.Connect(d.Bus, dbus.WithContext(ctx)); err != nil {
		return err
	}
	return d.awaitName(ctx, "org.freedesktop.Notifications", true)
}

// Env is the environment of the person's programs.
func (d *Desktop) Env() []string {
	return []string{
		"HOME=" + d.Dir, "XDG_RUNTIME_DIR=" + filepath.Join(d.Dir, "run"), "XDG_CONFIG_HOME=" + filepath.Join(d.Dir, ".config"),
		"XDG_CACHE_HOME=" + filepath.Join(d.Dir, ".cache"), "DISPLAY=" + d.Display, "DBUS_SESSION_BUS_ADDRESS=" + d.Bus,
		"WAYLAND_DISPLAY=", "NO_AT_BRIDGE=1", "GTK_A11Y=none", "LIBGL_ALWAYS_SOFTWARE=1", "LANG=C.UTF-8", "PATH=" + os.Getenv("PATH"),
	}
}

// run starts a program of the desktop.
func (d *Desktop) run(name string, args ...string) (*exec.Cmd, error) {
	return d.Run(d.Env(), name, args...)
}

// Run starts a program that ends with the desktop; env is its environment.
func (d *Desktop) Run(env []string, name string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.Dir, env, d.log, d.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	d.processes = append(d.processes, cmd)
	return cmd, nil
}

// startAndRead starts a program that writes a line to descriptor 3.
func (d *Desktop) startAndRead(ctx context.Context, name string, args ...string) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = d.Dir, d.Env(), d.log, d.log
	cmd.ExtraFiles = []*os.File{w}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = cmd.Start()
	w.Close()
	if err != nil {
		return "", fmt.Errorf("start %s: %w", name, err)
	}
	d.processes = append(d.processes, cmd)
	if deadline, ok := ctx.Deadline(); ok {
		r.SetReadDeadline(deadline)
	}
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("%s says nothing: %w", name, err)
	}
	return strings.TrimSpace(line), nil
}

// Close ends everything.
func (d *Desktop) Close() {
	if d.conn != nil {
		d.conn.Close()
	}
	for i := len(d.processes) - 1; i >= 0; i-- {
		end(d.processes[i])
	}
	if d.log != nil {
		d.log.Close()
	}
}

func end(cmd *exec.Cmd) {
	cmd.Process.Kill()
	cmd.Wait() // an error where it was waited for before
}

// watcher is the bus name of a panel that shows trays.
const watcher = "org.kde.StatusNotifierWatcher"

// StartPanel starts the panel and waits until it shows trays.
func (d *Desktop) StartPanel(ctx context.Context) error {
	cmd, err := d.run("xfce4-panel", "--disable-wm-check")
	if err != nil {
		return err
	}
	d.panel = cmd
	return d.awaitName(ctx, watcher, true)
}

// KillPanel ends the panel as a crash does, with the parts of it that are
// programs of their own.
func (d *Desktop) KillPanel(ctx context.Context) error {
	end(d.panel)
	var pid uint32
	err := d.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetConnectionUnixProcessID", 0, watcher).Store(&pid)
	if err == nil {
		syscall.Kill(int(pid), syscall.SIGKILL)
	}
	return d.awaitName(ctx, watcher, false)
}

func (d *Desktop) awaitName(ctx context.Context, name string, there bool) error {
	return await(ctx, name, func() (bool, error) {
		var has bool
		err := d.conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, name).Store(&has)
		return has == there, err
	})
}

// await asks again and again: neither panels nor screens tell all that changes.
func await(ctx context.Context, what string, f func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := f()
		if ok && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx)), err)
		case <-tick.C:
		}
	}
}

// configure writes a panel at the top with the tray at its left end.
func (d *Desktop) configure() error {
	dir := filepath.Join(d.Dir, ".config", "xfce4", "xfconf", "xfce-perchannel-xml")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "xfce4-panel.xml"), []byte(panelXML), 0o600)
}

// iconAt is where panelXML puts the first tray.
const iconAt = 20

const panelXML = `<?xml version="1.0" encoding="UTF-8"?>
<channel name="xfce4-panel" version="1.0">
  <property name="configver" type="int" value="2"/>
  <property name="panels" type="array"><value type="int" value="1"/>
    <property name="panel-1" type="empty">
      <property name="position" type="string" value="p=6;x=0;y=0"/>
      <property name="length" type="uint" value="100"/>
      <property name="position-locked" type="bool" value="true"/>
      <property name="size" type="uint" value="40"/>
      <property name="plugin-ids" type="array"><value type="int" value="1"/><value type="int" value="2"/></property>
    </property>
  </property>
  <property name="plugins" type="empty">
    <property name="plugin-1" type="string" value="systray">
      <property name="square-icons" type="bool" value="true"/>
      <property name="single-row" type="bool" value="true"/>
      <property name="menu-is-primary" type="bool" value="true"/>
      <property name="hide-new-items" type="bool" value="false"/>
    </property>
    <property name="plugin-2" type="string" value="separator"/>
  </property>
</channel>
`
