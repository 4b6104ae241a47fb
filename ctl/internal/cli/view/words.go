package view

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/sallyport/sallyport/api"
)

// Clean replaces what a terminal would obey instead of show: control characters
// and marks that turn the direction of writing.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}

// Lower makes a sentence go on after a colon: its first letter is small, unless
// the word is a name or an abbreviation.
func Lower(s string) string {
	word, _, _ := strings.Cut(s, " ")
	if len(word) < 2 || word[0] < 'A' || word[0] > 'Z' || strings.ToLower(word[1:]) != word[1:] {
		return s
	}
	return string(word[0]+'a'-'A') + s[1:]
}

// problem is the lines of a problem below what it is about; none for nil.
func problem(label string, p *api.Problem) []string {
	if p == nil {
		return nil
	}
	lines := []string{label + ": " + Lower(p.Error())}
	if p.Hint != "" {
		lines = append(lines, "hint: "+Lower(p.Hint))
	}
	return lines
}

// Ago says how long before now a moment was.
func Ago(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return short(now.Sub(t)) + " ago"
}

// Until says how long after now a moment is, "past" for one that is over.
func Until(t, now time.Time) string {
	if d := t.Sub(now); d > 0 {
		return "in " + short(d)
	}
	return "past"
}

// short is a duration in its largest unit, hours with their minutes.
func short(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		if m := int(d.Minutes()) % 60; m != 0 {
			return fmt.Sprintf("%dh%02dm", int(d.Hours()), m)
		}
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Bytes is a count of bytes with a unit.
func Bytes(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	v, i := float64(n)/unit, 0
	for v >= unit && i < len("KMGTPE")-1 {
		v /= unit
		i++
	}
	return fmt.Sprintf("%.1f %ciB", v, "KMGTPE"[i])
}

func yes(b bool, word string) string {
	if b {
		return word
	}
	return ""
}

func join(words ...string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ", ")
}
