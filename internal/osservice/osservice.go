// Package osservice puts a program of ours under the machine's service manager
// (systemd, OpenRC, SysV init, launchd, the Service Control Manager of Windows)
// and speaks to that manager.
//
// Shapes: manifest.Service says what is run and as whom. Control carries out what a
// person asks for; every verb may be asked for again. Ready, Stopping and
// Watchdog tell systemd how a running program is.
//
// The library's own systemd unit waits two minutes after a crash and hardens
// nothing; its OpenRC and SysV scripts have no account. So each manager is given
// a template of ours. A unit that a package brought is used as it is.
//
// Errors: ErrNotAdministrator, ErrUnsafeProgram, and an error that names the log
// where the program did not come up.
package osservice

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/kardianos/service"

	"github.com/sallyport/sallyport/internal/manifest"
)

// State is what a service manager says of a service.
type State string

// The states.
const (
	NotInstalled State = "not-installed"
	Stopped      State = "stopped"
	Running      State = "running"
	Failed       State = "failed"
)

// Errors of this package.
var (
	// ErrNotAdministrator: the service manager obeys administrators only.
	ErrNotAdministrator = errors.New("only an administrator may change the machine's services")
	// ErrUnsafeProgram: others could replace what would run as a service.
	ErrUnsafeProgram = errors.New("the program could be replaced by other users")
)

// startWithin is how long a started program has until it serves. It takes less
// than a second where the disk is well.
const startWithin = 20 * time.Second

// Control speaks to the service manager about one service.
type Control struct {
	manifest.Service
	ready   func(ctx context.Context) error
	say     io.Writer
	library service.Service
}

// New returns the control of this very program as a part's service. ready is
// nil where the program serves, which starting waits for. What is done is said
// to say.
func New(p manifest.Part, ready func(ctx context.Context) error, say io.Writer) (*Control, error) {
	m := manifest.ServiceOf(runtime.GOOS, p)
	if m == nil {
		return nil, errors.New("this program is no service on this system")
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return newControl(*m, program, ready, say)
}

func newControl(m manifest.Service, program string, ready func(ctx context.Context) error, say io.Writer) (*Control, error) {
	m.Program = program
	c := &Control{Service: m, ready: ready, say: say}
	var err error
	c.library, err = service.New(nothing{}, c.config())
	if errors.Is(err, service.ErrNoServiceSystemDetected) {
		return nil, errors.New("this machine has no service manager that is known here")
	}
	return c, err
}

// Report is what a person asks for.
type Report struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Log is where to look: a command, or a directory.
	Log string `json:"log"`
}

// String is the report as text.
func (r Report) String() string { return fmt.Sprintf("%s: %s\nlog: %s", r.Name, r.State, r.Log) }

// Report asks the manager.
func (c *Control) Report() (Report, error) {
	state, err := c.State()
	return Report{c.Name, state, c.LogPlace()}, err
}

// nothing is the program as the library wants one: here it only is controlled.
type nothing struct{}

func (nothing) Start(service.Service) error { return nil }
func (nothing) Stop(service.Service) error  { return nil }

//go:embed files/openrc.sh
var openRC string

//go:embed files/sysv.sh
var sysV string

//go:embed files/launchd.plist
var launchd string

func (c *Control) config() *service.Config {
	arguments := c.Arguments
	if !onSystemd() {
		arguments = append(arguments[:len(arguments):len(arguments)], c.FileArguments...)
	}
	return &service.Config{
		Name: c.Name, DisplayName: c.Title, Description: c.About, Executable: c.Program, Arguments: arguments,
		Option: service.KeyValue{
			"SystemdScript": c.fill(c.Unit), "OpenRCScript": c.fill(openRC), "SysvScript": c.fill(sysV),
			"LaunchdConfig": c.fill(launchd), "OnFailure": "restart", "OnFailureDelayDuration": "1s",
		},
	}
}

func (c *Control) fill(script string) string {
	return strings.NewReplacer("@PROGRAM@", c.Program, "@NAME@", c.Name, "@ACCOUNT@", c.Account, "@STATE@", c.Service.State,
		"@RUN@", c.Run, "@LOGDIR@", c.LogDir).Replace(script)
}

func onSystemd() bool { return service.Platform() == "linux-systemd" }

// LogPlace says where a person finds the log.
func (c *Control) LogPlace() string {
	if onSystemd() {
		return "journalctl -u " + c.Name
	}
	return c.LogDir
}

// Install makes it start at every boot, starts it, and returns when it serves.
func (c *Control) Install(ctx context.Context) error {
	if err := c.allowed(); err != nil {
		return err
	}
	if err := checkProgram(c.Program); err != nil {
		return err
	}
	if err := EnsureAccount("", c.Account, c.Service.State); err != nil {
		return err
	}
	changed, err := c.register()
	if err != nil {
		return err
	}
	if state, _ := c.State(); state == Running && !changed {
		fmt.Fprintf(c.say, "%s is installed and running already\n", c.Name)
		return c.await(ctx)
	}
	if err := c.Restart(ctx); err != nil {
		return err
	}
	fmt.Fprintf(c.say, "%s is installed and starts at every boot\n", c.Name)
	return nil
}

// register tells the manager, unless it knows just that already.
func (c *Control) register() (changed bool, err error) {
	if onSystemd() {
		if c.packaged() != "" {
			return false, systemctl("enable", "--quiet", c.Name+".service")
		}
		have, err := os.ReadFile(unitFile(c.Name))
		if err == nil && bytes.Equal(have, []byte(c.fill(c.Unit))) {
			return false, systemctl("enable", "--quiet", c.Name+".service")
		}
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

func (c *Control) unregister() error {
	if state, _ := c.State(); state == Running {
		if err := c.library.Stop(); err != nil {
			return err
		}
	}
	return c.library.Uninstall()
}

// Uninstall stops it and takes it from the manager. State stays.
func (c *Control) Uninstall(ctx context.Context) error {
	if err := c.allowed(); err != nil {
		return err
	}
	state, err := c.State()
	if err != nil {
		return err
	}
	if state == NotInstalled {
		fmt.Fprintf(c.say, "%s is not installed\n", c.Name)
		return nil
	}
	if unit := c.packaged(); unit != "" {
		if err := systemctl("disable", "--quiet", "--now", c.Name+".service"); err != nil {
			return err
		}
		fmt.Fprintf(c.say, "%s is stopped and disabled; its unit %s belongs to a package: remove that to be rid of it\n", c.Name, unit)
		return nil
	}
	if err := c.unregister(); err != nil {
		return fmt.Errorf("uninstall %s: %w", c.Name, err)
	}
	fmt.Fprintf(c.say, "%s is uninstalled; its state is still in %s\n", c.Name, c.Service.State)
	return nil
}

// Start returns when it serves.
func (c *Control) Start(ctx context.Context) error { return c.do(ctx, c.library.Start, "started") }

// Restart stops it where it runs, and returns when it serves again.
func (c *Control) Restart(ctx context.Context) error {
	if state, _ := c.State(); state == Running {
		return c.do(ctx, c.library.Restart, "restarted")
	}
	return c.Start(ctx)
}

func (c *Control) do(ctx context.Context, f func() error, word string) error {
	if err := c.installed(); err != nil {
		return err
	}
	if err := f(); err != nil {
		return fmt.Errorf("%s was not %s: %w; its log: %s", c.Name, word, err, c.LogPlace())
	}
	if err := c.await(ctx); err != nil {
		return err
	}
	fmt.Fprintf(c.say, "%s is %s; its log: %s\n", c.Name, word, c.LogPlace())
	return nil
}

// Stop ends it until the next start or boot.
func (c *Control) Stop(context.Context) error {
	if err := c.installed(); err != nil {
		return err
	}
	if state, err := c.State(); err == nil && state == Stopped {
		fmt.Fprintf(c.say, "%s is stopped already\n", c.Name)
		return nil
	}
	if err := c.library.Stop(); err != nil {
		return fmt.Errorf("stop %s: %w", c.Name, err)
	}
	fmt.Fprintf(c.say, "%s is stopped\n", c.Name)
	return nil
}

// installed refuses what would only make the manager complain.
func (c *Control) installed() error {
	if err := c.allowed(); err != nil {
		return err
	}
	if state, err := c.State(); err != nil {
		return err
	} else if state == NotInstalled {
		return fmt.Errorf("%s is not installed as a service: %s service install", c.Name, c.Program)
	}
	return nil
}

// State asks the manager.
func (c *Control) State() (State, error) {
	status, err := c.library.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled), err != nil && !c.known():
		return NotInstalled, nil
	case err != nil && onSystemd(): // the library's word for a failed unit is an error
		return Failed, nil
	case err != nil:
		return Stopped, nil // a SysV script that is there and answers "stopped" by its code
	case status == service.StatusRunning:
		return Running, nil
	}
	return Stopped, nil
}

// known says whether there is a file of ours for the manager.
func (c *Control) known() bool {
	for _, f := range []string{unitFile(c.Name), "/etc/init.d/" + c.Name} {
		if _, err := os.Stat(f); err == nil {
			return true
		}
	}
	return c.packaged() != ""
}

func unitFile(name string) string { return "/etc/systemd/system/" + name + ".service" }

// packaged is the unit that a package brought, "" where none did.
func (c *Control) packaged() string {
	for _, dir := range []string{"/usr/lib/systemd/system", "/lib/systemd/system"} {
		unit := filepath.Join(dir, c.Name+".service")
		if _, err := os.Stat(unit); err == nil {
			return unit
		}
	}
	return ""
}

// await returns when the program serves.
func (c *Control) await(ctx context.Context) error {
	if c.ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	const every = 100 * time.Millisecond
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last error
	for {
		err := c.ready(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // and not that the time is over
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s does not serve: %w; its log: %s", c.Name, last, c.LogPlace())
		}
	}
}

// allowed is an error for whom the manager would refuse anyway.
func (c *Control) allowed() error {
	if !administrator() {
		return ErrNotAdministrator
	}
	return nil
}

func systemctl(args ...string) error {
	if out, err := exec.Command("systemctl", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
