package names

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Kind is what of a person a Selector looks at.
type Kind string

const (
	Everyone Kind = "everyone"
	Email    Kind = "email"
	Domain   Kind = "domain"
	Group    Kind = "group"
)

// Selector says who is meant. Use ParseSelector; the zero value means nobody.
type Selector struct {
	Kind Kind
	// Value is the address in lower case, the domain in normal form, or the
	// group as the provider writes it.
	Value string
}

// String is the selector's normal form.
func (s Selector) String() string {
	if s.Kind == Everyone {
		return string(Everyone)
	}
	return string(s.Kind) + ":" + s.Value
}

// ParseSelector reads "everyone", "email:a@site.com", "domain:site.com" or
// "group:staff". A domain means addresses exactly under it, not under its
// subdomains.
func ParseSelector(text string) (Selector, error) {
	if text == string(Everyone) {
		return Selector{Kind: Everyone}, nil
	}
	kind, value, _ := strings.Cut(text, ":")
	s := Selector{Kind: Kind(kind)}
	var err error
	switch {
	case len(text) > maxSelector:
		return Selector{}, fmt.Errorf("selector of %d characters, at most %d", len(text), maxSelector)
	case s.Kind == Email:
		s.Value, err = Address(value)
	case s.Kind == Domain:
		s.Value, err = Hostname(strings.TrimPrefix(value, "@"))
	case s.Kind == Group:
		s.Value, err = value, checkGroup(value)
	default:
		return Selector{}, fmt.Errorf("selector %q: write everyone, email:ADDRESS, domain:DOMAIN or group:NAME", text)
	}
	if err != nil {
		return Selector{}, fmt.Errorf("selector %q: %w", text, err)
	}
	return s, nil
}

// Address gives an e-mail address in lower case, its domain in normal form. Only
// ASCII letters are folded: wider folding would make different people equal.
func Address(s string) (string, error) {
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", errors.New("not an e-mail address")
	}
	domain, err := Hostname(s[at+1:])
	if err != nil {
		return "", err
	}
	return LowerASCII(s[:at]) + "@" + domain, nil
}

func checkGroup(s string) error {
	if s == "" {
		return errors.New("empty group name")
	}
	if strings.TrimSpace(s) != s || strings.ContainsFunc(s, unicode.IsControl) {
		return errors.New("a group name has no control characters and no space at its ends")
	}
	return nil
}

// LowerASCII lowers the ASCII letters of s and leaves all else.
func LowerASCII(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return strings.Map(func(r rune) rune {
				if r >= 'A' && r <= 'Z' {
					return r + 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	return s
}
