package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// clean takes out of a text what would act on a terminal: names of devices and
// people are chosen by others.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// note tells a person something that was not asked for.
func (a *app) note(format string, args ...any) {
	fmt.Fprintln(a.err, clean(fmt.Sprintf(format, args...)))
}

// line prints one line of what was asked for.
func (a *app) line(s string) error {
	_, err := fmt.Fprintln(a.out, s)
	return err
}

// printJSON prints v, indented: people read it too.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows under a head; with --json it prints list instead. An empty
// table is a note, so that a script reads nothing.
func (a *app) table(list any, empty string, head []string, rows [][]string) error {
	if a.json {
		return a.printJSON(list)
	}
	if len(rows) == 0 {
		a.note("%s", empty)
		return nil
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		for i, cell := range row {
			row[i] = clean(cell)
			if row[i] == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// result prints v with --json, else a note.
func (a *app) result(v any, format string, args ...any) error {
	if a.json {
		return a.printJSON(v)
	}
	a.note(format, args...)
	return nil
}

// when is a time for a table.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// done answers a command whose success has no noun.
type done struct {
	Done string `json:"done"`
	ID   string `json:"id"`
}
