package terminal

import (
	"context"
	"io"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/signin"
)

// Reader gives the lines that a person types; io.EOF means that nobody will.
type Reader func(ctx context.Context) (string, error)

// Typed reads a line of the program's input.
func (t *Terminal) Typed(ctx context.Context) (string, error) {
	t.mu.Lock()
	if t.lines == nil {
		t.lines = newLineReader(t.In)
	}
	l := t.lines
	t.mu.Unlock()
	line, err := l.next(ctx)
	if !t.Terminal {
		t.endPrompt() // nobody's Enter did
	}
	return line, err
}

// TypedOnTTY reads a line of the terminal itself, where the input is data.
func (t *Terminal) TypedOnTTY(ctx context.Context) (string, error) {
	t.mu.Lock()
	if t.lines == nil {
		tty, err := t.OpenTTY()
		if err != nil {
			t.mu.Unlock()
			return "", io.EOF
		}
		t.lines = newLineReader(tty)
	}
	l := t.lines
	t.mu.Unlock()
	return l.next(ctx)
}

// Attended says whether a person sees Err and could type into the terminal,
// although the input is data.
func (t *Terminal) Attended() bool {
	if !t.ErrTerminal {
		return false
	}
	tty, err := t.OpenTTY()
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

// LoginMode chooses how the code of a login comes back, and says why it is not
// the usual way.
func (t *Terminal) LoginMode(noBrowser bool) (mode api.LoginMode, reason string) {
	if noBrowser {
		return api.ModeCode, ""
	}
	ok, reason := t.Browser()
	if ok {
		return api.ModeLoopback, ""
	}
	return api.ModeCode, "no browser is opened: " + reason + "; use any browser and type the code that it shows"
}

// Dialog speaks with the person about one login.
func (t *Terminal) Dialog(mode api.LoginMode, reason string, read Reader) signin.Dialog {
	d := signin.Dialog{
		Show: func(l api.Login) {
			if reason != "" {
				t.Note(reason)
			}
			t.Note("sign in at "+l.URL, "compare code: "+l.CompareCode+" (the page shows the same)")
		},
		Note: func(p *api.Problem) { t.NoteError("", p) },
	}
	if mode == api.ModeLoopback {
		if reason == "" {
			d.Open = t.Open
		}
		return d
	}
	d.Code = func(ctx context.Context) (string, error) {
		t.Prompt("Approval code: ")
		return read(ctx)
	}
	return d
}
