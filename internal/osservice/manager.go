package osservice

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kardianos/service"
)

//go:embed files/openrc.sh
var openRC string

//go:embed files/sysv.sh
var sysV string

//go:embed files/launchd.plist
var launchd string

// The managers that a script of ours is for, as the library calls them.
const (
	onUnits   = "linux-systemd"
	onOpenRC  = "linux-openrc"
	onSysV    = "unix-systemv"
	onLaunchd = "darwin-launchd"
)

// strangers are managers that the library knows and that nothing here is for: it
// would run the program as root, by a script of its own.
var strangers = []string{"linux-upstart", "linux-rcs", "linux-procd"}

func onSystemd() bool { return service.Platform() == onUnits }

// known managers only: see strangers.
func managed(platform string) bool { return platform != "" && !slices.Contains(strangers, platform) }

func (c *Control) config() *service.Config {
	return &service.Config{
		Name: c.Name, DisplayName: c.Title, Description: c.About, Executable: c.Program, Arguments: c.arguments(service.Platform()),
		Option: service.KeyValue{
			"SystemdScript": c.text(onUnits), "OpenRCScript": c.text(onOpenRC), "SysvScript": c.text(onSysV),
			"LaunchdConfig": c.text(onLaunchd), "OnFailure": "restart", "OnFailureDelayDuration": "1s",
		},
	}
}

// ByScript says whether the service is known by a script that an upgrade of its
// program does not bring.
func (c *Control) ByScript() bool { return !onSystemd() && c.known() }

// arguments are those of the program under a manager.
func (c *Control) arguments(platform string) []string {
	if platform == onUnits {
		return c.Arguments
	}
	return slices.Concat(c.Arguments, c.FileArguments)
}

// text is what a manager is given to read, "" where that is no file.
func (c *Control) text(platform string) string {
	switch platform {
	case onUnits:
		return c.fill(c.Unit, func(s string) string { return s }, "")
	case onOpenRC:
		return c.fill(openRC, shellQuote, c.each(platform, shellQuote, " "))
	case onSysV:
		return c.fill(sysV, shellQuote, c.each(platform, shellQuote, " "))
	case onLaunchd:
		return c.fill(launchd, html.EscapeString, c.each(platform, func(s string) string { return "<string>" + html.EscapeString(s) + "</string>" }, "\n\t\t"))
	}
	return ""
}

func (c *Control) each(platform string, quote func(string) string, between string) string {
	var out []string
	for _, a := range c.arguments(platform) {
		out = append(out, quote(a))
	}
	return strings.Join(out, between)
}

func (c *Control) fill(script string, quote func(string) string, arguments string) string {
	return strings.NewReplacer("@PROGRAM@", quote(c.Program), "@ARGUMENTS@", arguments, "@NAME@", c.Name, "@TITLE@", c.Title, "@ABOUT@", c.About,
		"@ACCOUNT@", c.Account, "@STATE@", c.Service.State, "@RUN@", c.Run, "@LOGDIR@", c.LogDir).Replace(script)
}

// shellQuote leaves alone what a shell takes as one word.
func shellQuote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// file is by what a manager knows the service, "" where that is no file.
func (c *Control) file(platform string) string {
	switch platform {
	case onUnits:
		return "/etc/systemd/system/" + c.Name + ".service"
	case onOpenRC, onSysV:
		return "/etc/init.d/" + c.Name
	case onLaunchd:
		return "/Library/LaunchDaemons/" + c.Name + ".plist"
	}
	return ""
}

// register tells the manager, unless it knows just that already.
func (c *Control) register() (changed bool, err error) {
	if c.packaged() != "" {
		return false, c.enable()
	}
	if c.isRegistered(service.Platform()) {
		return false, c.enable()
	}
	if state, err := c.State(); err == nil && state != NotInstalled {
		if err := c.unregister(); err != nil {
			return false, err
		}
	}
	if err := c.library.Install(); err != nil {
		return false, errors.Join(fmt.Errorf("install %s: %w", c.Name, err), c.unregister())
	}
	return true, nil
}

// enable has it start at every boot: elsewhere than under systemd the script
// that is there says so.
func (c *Control) enable() error {
	if !onSystemd() {
		return nil
	}
	return systemctl("enable", "--quiet", c.Name+".service")
}

func (c *Control) unregister() error {
	if state, _ := c.State(); state == Running {
		if err := c.library.Stop(); err != nil {
			return err
		}
	}
	return errors.Join(c.unregistered(c.library.Uninstall()), c.unlink())
}

// unlink removes the links to an init script, which the library leaves behind.
func (c *Control) unlink() error {
	if platform := service.Platform(); platform != onOpenRC && platform != onSysV {
		return nil
	}
	var failed []error
	for _, pattern := range c.ScriptLinks() {
		links, err := fs.Glob(os.DirFS("/"), strings.TrimPrefix(pattern, "/"))
		failed = append(failed, err)
		for _, link := range links {
			failed = append(failed, os.Remove("/"+link))
		}
	}
	return errors.Join(failed...)
}

// known says whether there is a file of ours for the manager.
func (c *Control) known() bool {
	if _, err := os.Stat(c.file(service.Platform())); err == nil {
		return true
	}
	return c.packaged() != ""
}

// packaged is the unit that a package brought, "" where none did or systemd is
// not the manager: such a unit is on every Linux.
func (c *Control) packaged() string {
	if !onSystemd() {
		return ""
	}
	for _, dir := range []string{"/usr/lib/systemd/system", "/lib/systemd/system"} {
		unit := filepath.Join(dir, c.Name+".service")
		if _, err := os.Stat(unit); err == nil {
			return unit
		}
	}
	return ""
}

func systemctl(args ...string) error {
	if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
