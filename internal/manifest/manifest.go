// Package manifest is the one list of what lands where on a machine: programs,
// units, accounts, directories with owner and mode, completions, man pages, the
// tray's autostart. The installer, every package and the test that compares an
// installed system with it read the same rows.
//
// Shapes: a Part is what is installed together (and a package of its own); a
// Role is what a person asks for, and means some Parts. Entries gives the rows
// of an operating system; a row's From is the file's place in the payload, which
// is what a tarball holds.
package manifest

import (
	_ "embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/internal/paths"
)

// Part is what is installed together.
type Part string

// The parts. On Linux each is a package.
const (
	Daemon Part = "sallyport" // daemon and command line
	Tray   Part = "sallyport-tray"
	Edge   Part = "sallyport-edge"
)

// Parts are all parts, in the order in which they are installed.
var Parts = []Part{Daemon, Tray, Edge}

// Role is what a machine is for.
type Role string

// The roles.
const (
	Host   Role = "host"   // publishes services: daemon and command line
	Client Role = "client" // reaches services from a desk: with the tray
	Relay  Role = "edge"   // the organisation's relay
)

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains([]Role{Host, Client, Relay}, r) {
		return r, nil
	}
	return "", fmt.Errorf("role %q: it is host, client or edge", s)
}

// Parts are what a role needs.
func (r Role) Parts() []Part {
	switch r {
	case Host:
		return []Part{Daemon}
	case Client:
		return []Part{Daemon, Tray}
	case Relay:
		return []Part{Edge}
	}
	return nil
}

// Entry is one row: a file, or a directory where From is "".
type Entry struct {
	Part Part
	// Path is absolute, with slashes.
	Path string
	// From is the file in the payload.
	From string
	Mode fs.FileMode
	// Owner is the account and group it belongs to; "" is root.
	Owner string
	// Group, where it is not Owner's.
	Group string
	// Keep marks what a person's work is in: it survives upgrade and uninstall,
	// and goes at purge.
	Keep bool
	// Unpackaged marks what only the installer puts there.
	Unpackaged bool
}

// IsDir says whether the row is a directory.
func (e Entry) IsDir() bool { return e.From == "" }

// IsProgram says whether the row is a program.
func (e Entry) IsProgram() bool { return strings.HasPrefix(e.From, "bin/") }

// Service is a service of a part.
type Service struct {
	Part               Part
	Name, Title, About string
	// Program is the row's Path of what it runs.
	Program string
	// Arguments are those under systemd; FileArguments come to them where the
	// log goes to a file.
	Arguments, FileArguments []string
	Account                  string
	// Unit is the systemd unit; "@PROGRAM@" stands for the program.
	Unit string
	// State, Run and LogDir are its directories.
	State, Run, LogDir string
}

//go:embed files/sallyportd.service
var daemonUnit string

//go:embed files/sallyport-edge.service
var edgeUnit string

// Services are the services of an operating system ("linux", "darwin",
// "windows").
func Services(goos string) []Service {
	daemon := Service{
		Part: Daemon, Name: "sallyportd", Title: "Sallyport daemon", About: "Publishes services of this machine and reaches others",
		Arguments: []string{"run"}, Account: paths.ServiceAccount, Unit: daemonUnit,
	}
	switch goos {
	case "windows":
		daemon.Program, daemon.Account = WindowsDir+`\sallyportd.exe`, ""
		daemon.State, daemon.LogDir = `C:\ProgramData\Sallyport`, `C:\ProgramData\Sallyport\log`
		daemon.FileArguments = []string{"--service", "--log-file", daemon.LogDir + `\sallyportd.log`}
		return []Service{daemon}
	case "darwin":
		daemon.Program, daemon.Account = "/usr/local/bin/sallyportd", ""
		daemon.State, daemon.Run, daemon.LogDir = "/Library/Application Support/Sallyport", "/var/run/sallyport", "/Library/Logs/Sallyport"
		daemon.FileArguments = []string{"--log-file", daemon.LogDir + "/sallyportd.log"}
		return []Service{daemon}
	}
	daemon.Program = "/usr/bin/sallyportd"
	daemon.State, daemon.Run, daemon.LogDir = "/var/lib/sallyport", "/run/sallyport", "/var/log/sallyport"
	daemon.FileArguments = []string{"--log-file", daemon.LogDir + "/sallyportd.log"}
	return []Service{daemon, {
		Part: Edge, Name: "sallyport-edge", Title: "Sallyport edge", About: "Login, policies and relay of an organisation",
		Program: "/usr/bin/sallyport-edge", Arguments: []string{"serve", "--config", "/etc/sallyport/edge.yaml"},
		Account: paths.EdgeAccount, Unit: edgeUnit, State: "/var/lib/sallyport-edge", Run: "/run/sallyport-edge", LogDir: "/var/log/sallyport-edge",
	}}
}

// ServiceOf is the service of a part, nil where it has none.
func ServiceOf(goos string, p Part) *Service {
	for _, s := range Services(goos) {
		if s.Part == p {
			return &s
		}
	}
	return nil
}

// UnitText is the unit as it is installed.
func (s Service) UnitText() string { return strings.ReplaceAll(s.Unit, "@PROGRAM@", s.Program) }

// Leftovers are places that come into being while a service runs, under
// whatever manager, and that purge removes besides the rows.
func (s Service) Leftovers() []string { return []string{s.Run, s.LogDir} }

// Scripts are where service managers of Linux look for the service: a unit and
// the link that enables it, and an init script. One machine has some of them.
func (s Service) Scripts() []string {
	return []string{"/etc/systemd/system/" + s.Name + ".service", "/etc/systemd/system/multi-user.target.wants/" + s.Name + ".service", "/etc/init.d/" + s.Name}
}

// ScriptLinks are patterns of the links by which SysV init and OpenRC start the
// init script at boot.
func (s Service) ScriptLinks() []string {
	return []string{"/etc/rc[0-6S].d/[SK][0-9][0-9]" + s.Name, "/etc/runlevels/*/" + s.Name}
}
