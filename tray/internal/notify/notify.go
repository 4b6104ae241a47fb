// Package notify shows notes on the person's desktop: over D-Bus on Linux, as a
// balloon of the tray's icon on Windows, by the system's script on macOS.
//
// Shapes: a Desktop is the connection to the desktop session. Show shows a
// Note; Pressed gives the keys of those whose button was pressed. A Note
// replaces an earlier one of the same key where the desktop can do that.
//
// Errors: a desktop without notifications is an error of Show alone. What is
// told there stands in the menu too, so nobody need act upon it.
//
// Concurrency: Show may be called by one goroutine at a time. Open starts what
// listens for buttons; Close ends it.
package notify

// Note is something to tell.
type Note struct {
	// Key names what it is about.
	Key         string
	Title, Text string
	// Button is the word on the button; "" for none. Where a desktop has no
	// buttons, a click on the note counts, or nothing does.
	Button string
}

// pressedBacklog is how many presses wait for the tray: a person has one hand.
const pressedBacklog = 8

// tell hands a key on unless nobody has taken the earlier ones.
func tell(pressed chan<- string, key string) {
	select {
	case pressed <- key:
	default:
	}
}
