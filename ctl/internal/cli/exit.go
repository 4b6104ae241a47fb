package cli

import (
	"errors"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
)

const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitLogin       = 3
	exitDaemon      = 4
	exitPermission  = 5
	exitObject      = 6
	exitInterrupted = 130
)

// exitCode derives the exit code from an error.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.As(err, new(input.Error)) {
		return exitUsage
	}
	var p *api.Problem
	if !errors.As(err, &p) {
		return exitFailed
	}
	switch p.Code {
	case api.CodeInvalid:
		return exitUsage
	case api.CodeLoginNeeded, api.CodeLoginRefused, api.CodeLoginExpired, api.CodeLoginAbandoned, api.CodeLoginMode, api.CodeSessionEnded, api.CodeNotEnrolled:
		return exitLogin
	case api.CodeDaemonDown, api.CodeDatabaseLocked:
		return exitDaemon
	case api.CodePermission, api.CodeDenied, api.CodeRevoked:
		return exitPermission
	case api.CodeNotFound, api.CodeConflict, api.CodePortTaken, api.CodeHostnameTaken:
		return exitObject
	}
	return exitFailed
}

// report prints an error and its hint on stderr; with --json a Problem in one
// line.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	p := a.problemOf(err)
	if a.term.JSON {
		a.term.ErrLine(p)
		return
	}
	a.term.NoteError("error: ", p)
}

// problemOf makes a Problem of whatever ended a command.
func (a *app) problemOf(err error) *api.Problem {
	var p *api.Problem
	switch {
	case errors.As(err, new(input.Error)):
		return &api.Problem{Code: api.CodeInvalid, Title: err.Error(), Hint: a.command + " --help"}
	case errors.As(err, &p):
		return p
	}
	return &api.Problem{Code: api.CodeInternal, Title: err.Error()}
}
