package walk

import (
	"io"

	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
)

// Autostart says whether the tray starts at login, after it changed that where
// word is "on" or "off".
func (w *Walk) Autostart(word string) error {
	switch word {
	case "":
	case "on", "off":
		if err := w.Term.Autostart.Set(word == "on"); err != nil {
			return err
		}
	default:
		return input.Errorf("%q is neither on nor off", word)
	}
	on, err := w.Term.Autostart.Enabled()
	if err != nil {
		return err
	}
	state := struct {
		Autostart bool `json:"autostart"`
	}{on}
	return w.Term.Print(state, func(out io.Writer) {
		if on {
			terminal.Say(out, "The tray starts when you log in.")
		} else {
			terminal.Say(out, "The tray does not start when you log in.")
		}
	})
}
