package terminal

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/sallyport/sallyport/internal/autostart"
	"github.com/sallyport/sallyport/internal/browser"
)

// System is what the program meets of the machine and the person.
type System struct {
	In       io.Reader
	Out, Err io.Writer
	// Terminal says whether a person types into In; OutTerminal and ErrTerminal
	// whether one looks at Out and at Err.
	Terminal, OutTerminal, ErrTerminal bool
	// Silent says that In will never have anything: it is closed, or /dev/null.
	Silent bool
	// OpenTTY opens the terminal itself, where In is taken by data.
	OpenTTY func() (io.ReadCloser, error)
	Getenv  func(string) string
	Now     func() time.Time
	// Browser says whether a browser here would be seen, and if not, why.
	Browser func() (ok bool, reason string)
	Open    func(ctx context.Context, url string, e browser.Edge) error
	// HTTP asks a hostname which edge serves it.
	HTTP *http.Client
	// Autostart is what starts the tray at login.
	Autostart interface {
		Enabled() (bool, error)
		Set(on bool) error
	}
	// Dial replaces how the daemon is reached; nil means internal/ipc.
	Dial func(ctx context.Context, socket string) (net.Conn, error)
}

// discoverTimeout bounds the question which edge serves a hostname.
const discoverTimeout = 5 * time.Second

// RealSystem is the machine and the person as they are.
func RealSystem() System {
	return System{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Terminal:    term.IsTerminal(int(os.Stdin.Fd())),
		OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		OpenTTY:     openTTY,
		Getenv:      os.Getenv,
		Now:         time.Now,
		Browser:     browser.Available,
		Open:        browser.Open,
		Silent:      silent(os.Stdin),
		Autostart:   autostart.Here{},
		HTTP: &http.Client{
			Timeout:       discoverTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// silent says whether an input is closed, or a device that is no terminal, as
// /dev/null is.
func silent(in *os.File) bool {
	info, err := in.Stat()
	return err != nil || info.Mode()&os.ModeCharDevice != 0 && !term.IsTerminal(int(in.Fd()))
}
