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
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
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
	m.Program = program
	return Of(*m, ready, say)
}

// Of is New for a service whose program is another one.
func Of(m manifest.Service, ready func(ctx context.Context) error, say io.Writer) (*Control, error) {
	c := &Control{Service: m, ready: ready, say: say}
	if !managed(service.Platform()) {
		return nil, errors.New("this machine has no service manager that is known here")
	}
	var err error
	c.library, err = service.New(nothing{}, c.config())
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

// LogPlace says where a person finds the log.
func (c *Control) LogPlace() string {
	if onSystemd() {
		return "journalctl -u " + c.Name
	}
	return c.LogDir
}
