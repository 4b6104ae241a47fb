// Package paths knows where Sallyport's files and sockets are.
//
// Shapes: StateDir and Socket are a daemon's defaults for the user that it runs
// as: the machine's places for root and the service account, the user's own for
// everybody else. Sockets is the order in which a client looks.
//
// Errors: a place that the platform cannot name (no home directory) is an
// error; the flags --state and --socket then help.
package paths

import (
	"os"
	"slices"
)

// ServiceAccount is the OS account that an installed daemon runs as.
const ServiceAccount = "sallyport"

// EdgeAccount is the OS account that an installed edge runs as.
const EdgeAccount = "sallyport-edge"

// AdminGroup is the OS group whose members administer the machine's daemon.
const AdminGroup = "sallyport"

// SocketEnv is the environment variable that names the daemon's socket to
// clients.
const SocketEnv = "SALLYPORT_SOCKET"

// Machine says whether this process runs as the machine's daemon would: root,
// the service account, or their likes elsewhere.
func Machine() bool { return machine() }

// StateDir is where a daemon of this user keeps its state.
func StateDir() (string, error) {
	if machine() {
		return machineState(), nil
	}
	return userState()
}

// Socket is where a daemon of this user serves the local API.
func Socket() (string, error) {
	if machine() {
		return machineSocket(), nil
	}
	return userSocket()
}

// MachineSocket is where the machine's daemon serves the local API.
func MachineSocket() string { return machineSocket() }

// RuntimeDir is where the programs of the calling user keep what is of use only
// while they run.
func RuntimeDir() (string, error) { return userRuntime() }

// Sockets gives the places where a client looks for a daemon, in their order:
// flag (where it is not ""; then nothing else), SALLYPORT_SOCKET (likewise),
// the user's own socket, the machine's.
func Sockets(flag string) []string {
	return sockets(flag, os.Getenv(SocketEnv), userSocket, machineSocket())
}

func sockets(flag, env string, user func() (string, error), machine string) []string {
	for _, named := range []string{flag, env} {
		if named != "" {
			return []string{named}
		}
	}
	var list []string
	if own, err := user(); err == nil {
		list = append(list, own)
	}
	list = append(list, machine)
	return slices.Compact(list)
}
