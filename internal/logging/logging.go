// Package logging makes the slog.Logger that a program passes down to its
// rooms, and holds the one list of attribute keys.
//
// Shapes: New makes the logger from two words (level and format), as they stand
// on a command line or in a configuration file. Rooms add their own attributes
// with With at their door. Messages are constant and lower case; what varies is
// in attributes.
//
// Levels: Error = a person must act; Warn = degraded, heals by itself; Info =
// the life of links, logins and forwards; Debug = each stream.
//
// Never in a log: tokens, codes, cookies, payload, query strings of login pages.
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
)

// Config says what is logged and how. The zero value is level info as text.
type Config struct {
	// Level is debug, info, warn or error; "" means info.
	Level string
	// Format is text or json; "" means text. A terminal is given short times.
	Format string
}

// New returns a logger that writes to w. The error names the word that it does
// not know.
func New(w io.Writer, c Config) (*slog.Logger, error) {
	level, err := ParseLevel(c.Level)
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	switch strings.ToLower(c.Format) {
	case "", "text":
		if isTerminal(w) {
			options.ReplaceAttr = shortTime
		}
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log format %q: it is text or json", c.Format)
}

// ParseLevel reads a level's name; "" is info.
func ParseLevel(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log level %q: it is debug, info, warn or error", name)
}

// isTerminal takes any character device for one; all that hangs on it is the
// length of the time.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// shortTime drops the date, which a person at a terminal knows.
func shortTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.String(slog.TimeKey, a.Value.Time().Format("15:04:05.000"))
	}
	return a
}
