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
	case api.CodeLoginNeeded, api.CodeLoginRefused, api.CodeLoginExpired, api.CodeLoginAbandoned, api.CodeSessionEnded, api.CodeNotEnrolled:
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

// report prints an error and its hint on stderr.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	a.term.NoteError("error: ", err)
	if errors.As(err, new(input.Error)) {
		a.term.Note("hint: sallyport --help")
	}
}
