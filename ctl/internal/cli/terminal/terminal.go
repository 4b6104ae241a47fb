// Package terminal is how the command line speaks with the person and the
// scripts around it: what was asked for on stdout, all else on stderr, typed
// lines from the input or from the terminal itself.
//
// Shapes: System is the machine as the program meets it, and what a test
// replaces. A Terminal writes and reads on it.
//
// Concurrency: a Terminal may be used by many goroutines; a line is written
// whole. One goroutine reads typed lines and ends with the input or the process.
package terminal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/view"
)

// Terminal writes answers and notes, and reads what is typed.
type Terminal struct {
	System
	// JSON says that answers are objects, for a script.
	JSON bool

	mu    sync.Mutex // one line at a time; guards lines
	lines *lineReader
}

// New returns a terminal on s.
func New(s System) *Terminal { return &Terminal{System: s} }

// Print writes what was asked for: v with JSON, else what human writes.
func (t *Terminal) Print(v any, human func(w io.Writer)) error {
	if !t.JSON {
		human(t.Out)
		return nil
	}
	enc := json.NewEncoder(t.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// Line writes one object as a line with JSON, and nothing without.
func (t *Terminal) Line(v any) error {
	if !t.JSON {
		return nil
	}
	return json.NewEncoder(t.Out).Encode(v)
}

// Say writes a line of an answer for a person.
func Say(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, view.Clean(fmt.Sprintf(format, args...)))
}

// Note writes lines on stderr that tell what goes on.
func (t *Terminal) Note(lines ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range lines {
		fmt.Fprintln(t.Err, "sallyport: "+view.Clean(l))
	}
}

// NoteError writes an error and its hint.
func (t *Terminal) NoteError(prefix string, err error) {
	lines := []string{prefix + view.Lower(err.Error())}
	var p *api.Problem
	if errors.As(err, &p) && p.Hint != "" {
		lines = append(lines, "hint: "+view.Lower(p.Hint))
	}
	t.Note(lines...)
}

// ErrLine writes one object as a line on stderr, for a script.
func (t *Terminal) ErrLine(v any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	json.NewEncoder(t.Err).Encode(v)
}

// Prompt writes a question on stderr that the answer follows on the same line.
func (t *Terminal) Prompt(question string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprint(t.Err, view.Clean(question))
}

func (t *Terminal) endPrompt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(t.Err)
}
