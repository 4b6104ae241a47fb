package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/store"
)

// The exit codes are those of every Sallyport command; 3, login needed, is not
// for an edge.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
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

func (e *hinted) Unwrap() error { return e.error }

// exitCode derives the exit code from how a command ended.
func exitCode(ctx context.Context, err error) int {
	var p *adminapi.Problem
	var u *usageError
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &u):
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

// report prints an error and its hint.
func (a *app) report(err error) {
	if err == nil {
		return
	}
	hint := ""
	var p *adminapi.Problem
	var h *hinted
	var u *usageError
	switch {
	case errors.As(err, &p):
		hint = p.Hint
	case errors.As(err, &h):
		hint = h.hint
	case errors.As(err, &u):
		hint = "sallyport-edge --help, or COMMAND --help"
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintf(a.err, "sallyport-edge: error: %s\n", clean(line))
	}
	if hint != "" {
		fmt.Fprintf(a.err, "sallyport-edge: hint: %s\n", clean(hint))
	}
}
