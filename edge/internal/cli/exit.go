package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/store"
)

// The exit codes are those of every Sallyport command; 3, login needed, is not
// for an edge.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2 // the words of the command, or of the config file
	exitEdge        = 4 // no edge answers, or another process holds the database
	exitPermission  = 5
	exitObject      = 6 // not found, or a conflict
	exitInterrupted = 130
)

// usageError is a command that was not written as it should be.
type usageError struct{ error }

func usage(err error) error { return &usageError{err} }

func (e *usageError) Unwrap() error { return e.error }

// hinted is an error with the next step.
type hinted struct {
	error
	hint string
}

// Hint is the next step; errors of the program that runs the edge have it too.
func (e *hinted) Hint() string { return e.hint }

func (e *hinted) Unwrap() error { return e.error }

// exitCode derives the exit code from how a command ended.
func exitCode(ctx context.Context, err error) int {
	var p *adminapi.Problem
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, new(*usageError)), errors.As(err, new(*config.Fault)):
		return exitUsage
	case errors.Is(err, store.ErrLocked):
		return exitEdge
	case !errors.As(err, &p):
		return exitFailed
	}
	switch p.Code {
	case adminapi.CodeInvalid:
		return exitUsage
	case adminapi.CodeEdgeDown:
		return exitEdge
	case adminapi.CodePermission:
		return exitPermission
	case adminapi.CodeNotFound, adminapi.CodeConflict:
		return exitObject
	}
	return exitFailed
}

// report prints an error and its hint; with --json a Problem in one line.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	p := a.problemOf(err)
	if a.json {
		json.NewEncoder(a.err).Encode(p)
		return
	}
	for line := range strings.SplitSeq(p.Error(), "\n") {
		fmt.Fprintf(a.err, "sallyport-edge: error: %s\n", clean(line))
	}
	if p.Hint != "" {
		fmt.Fprintf(a.err, "sallyport-edge: hint: %s\n", clean(p.Hint))
	}
}

// problemOf makes a Problem of whatever ended a command.
func (a *app) problemOf(err error) *adminapi.Problem {
	var p *adminapi.Problem
	var h interface{ Hint() string }
	var u *usageError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &u):
		return &adminapi.Problem{Code: adminapi.CodeInvalid, Title: err.Error(), Hint: a.command + " --help"}
	}
	p = &adminapi.Problem{Code: adminapi.CodeInternal, Title: err.Error()}
	switch {
	case errors.As(err, &h):
		p.Hint = h.Hint()
	case errors.As(err, new(*config.Fault)):
		p.Code = adminapi.CodeInvalid
	case errors.Is(err, store.ErrLocked):
		p.Code, p.Hint = adminapi.CodeDatabaseLocked, "stop the other one, or give this one a state directory of its own (state in edge.yaml)"
	}
	return p
}
