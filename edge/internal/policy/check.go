package policy

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport/sallyport/edge/internal/config/names"
)

// Limits of one app. They are far above use, and keep a decision short.
const (
	MaxRules     = 256
	MaxSelectors = 256 // of one rule
	MaxContact   = 256 // characters
)

// Normalise gives a hostname's normal form: lower case, IDNA as ASCII, no
// trailing dot.
func Normalise(hostname string) (string, error) { return names.Hostname(hostname) }

// CheckSelector says what is wrong with one selector.
func CheckSelector(selector string) error {
	_, err := names.ParseSelector(selector)
	return err
}

// Check joins everything that is wrong with an app; nil means that it can be used.
func Check(app App) error {
	var faults []error
	if name, err := names.Hostname(app.Hostname); err != nil {
		faults = append(faults, err)
	} else if name != app.Hostname {
		faults = append(faults, fmt.Errorf("hostname %q: write it as %q", app.Hostname, name))
	}
	if err := checkContact(app.Contact); err != nil {
		faults = append(faults, err)
	}
	if w := app.ResumeWindowMS; w != nil && (*w < 0 || *w > MaxResumeWindow.Milliseconds()) {
		faults = append(faults, fmt.Errorf("resume window: at most %s, and 0 where streams are not to resume", MaxResumeWindow))
	}
	if n := len(app.Rules); n > MaxRules {
		faults = append(faults, fmt.Errorf("%d rules, at most %d", n, MaxRules))
		return errors.Join(faults...)
	}
	for i, r := range app.Rules {
		if err := checkRule(r); err != nil {
			faults = append(faults, fmt.Errorf("rule %d: %w", i+1, err))
		}
	}
	return errors.Join(faults...)
}

// checkContact keeps out what could forge a line on somebody's screen.
func checkContact(s string) error {
	if utf8.RuneCountInString(s) > MaxContact || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("contact: one line of at most %d characters", MaxContact)
	}
	return nil
}

func checkRule(r Rule) error {
	var faults []error
	if r.Action != Allow && r.Action != Deny {
		faults = append(faults, fmt.Errorf("action %q: write allow or deny", r.Action))
	}
	if n := len(r.Selectors); n == 0 || n > MaxSelectors {
		faults = append(faults, fmt.Errorf("%d selectors, between 1 and %d", n, MaxSelectors))
		return errors.Join(faults...)
	}
	for _, s := range r.Selectors {
		if err := CheckSelector(s); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// normal is the app as it is stored: every name in its normal form, and no
// memory shared with the caller's.
func normal(app App) (App, error) {
	if name, err := names.Hostname(app.Hostname); err == nil {
		app.Hostname = name
	}
	if err := Check(app); err != nil {
		return App{}, err
	}
	rules := make([]Rule, len(app.Rules))
	for i, r := range app.Rules {
		rules[i].Action = r.Action
		for _, text := range r.Selectors {
			s, err := names.ParseSelector(text)
			if err != nil {
				return App{}, err
			}
			rules[i].Selectors = append(rules[i].Selectors, s.String())
		}
	}
	app.Rules = rules
	app.program = compile(rules)
	return app, nil
}
