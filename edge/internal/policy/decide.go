package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/config/names"
)

// program is an app's rules, read once.
type program struct {
	rules  []compiledRule
	broken bool
}

type compiledRule struct {
	allow     bool
	selectors []names.Selector
	labels    []string // what Decision.Rule says, one for each selector
}

func compile(rules []Rule) *program {
	p := &program{rules: make([]compiledRule, len(rules))}
	for i, r := range rules {
		c := compiledRule{allow: r.Action == Allow}
		if r.Action != Allow && r.Action != Deny || len(r.Selectors) == 0 {
			p.broken = true
		}
		for _, text := range r.Selectors {
			s, err := names.ParseSelector(text)
			if err != nil {
				p.broken = true
			}
			c.selectors = append(c.selectors, s)
			c.labels = append(c.labels, fmt.Sprintf("%s %s (#%d)", r.Action, s, i+1))
		}
		p.rules[i] = c
	}
	return p
}

// Decide answers whether s may open a stream to app. It is total: a nil or
// broken app, or an empty subject, is denied.
func Decide(app *App, s Subject) Decision {
	if app == nil {
		return Decision{Rule: DefaultDeny}
	}
	d := Decision{Rule: DefaultDeny, Contact: app.Contact, Version: app.Version}
	p := app.program
	if p == nil {
		p = compile(app.Rules)
	}
	if p.broken {
		d.Rule = BrokenDeny
		return d
	}
	who := personOf(&s)
	for i := range p.rules {
		r := &p.rules[i]
		if n := who.match(r.selectors, !r.allow); n >= 0 {
			d.Allow, d.Rule = r.allow, r.labels[n]
			return d
		}
	}
	return d
}

// Matches says whether one of selectors matches s. A broken selector matches nobody.
func Matches(selectors []string, s Subject) bool {
	who := personOf(&s)
	for _, text := range selectors {
		one, err := names.ParseSelector(text)
		if err == nil && who.match([]names.Selector{one}, false) >= 0 {
			return true
		}
	}
	return false
}

// person is a Subject in the form in which selectors are compared.
type person struct {
	nobody bool
	// address and domain are "" where there is none that can be compared.
	address, domain string
	// verified: what allows takes no other address. What denies does: a provider
	// that never says verified must not make a deny rule void.
	verified bool
	// unreadable: the address is verified, but its domain has no normal form that
	// could be compared. Nothing is allowed by it, and every rule that denies by
	// address or domain is taken to mean it.
	unreadable bool
	groups     []string
}

func personOf(s *Subject) person {
	p := person{nobody: s.Subject == "" && s.Email == "", groups: s.Groups, verified: s.EmailVerified}
	if s.Email == "" {
		return p
	}
	p.address = s.Email
	if !isNormal(s.Email) {
		var err error
		if p.address, err = names.Address(s.Email); err != nil {
			p.address, p.unreadable = "", s.EmailVerified
			return p
		}
	}
	p.domain = p.address[strings.LastIndexByte(p.address, '@')+1:]
	return p
}

// isNormal says of the usual address that names.Address would not change it,
// without the work of finding out. False means: ask.
func isNormal(address string) bool {
	at := -1
	for i := range len(address) {
		switch c := address[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '@':
			if at >= 0 {
				return false
			}
			at = i
		case c == '.', c == '-', c == '_', c == '+':
			// In the domain a dot or hyphen needs a letter or digit on both sides.
			if at >= 0 && (c == '_' || c == '+' || i == at+1 || i == len(address)-1 || !isAlnum(address[i-1]) || !isAlnum(address[i+1])) {
				return false
			}
		default:
			return false
		}
	}
	// A domain whose last character is a letter is no address of a machine.
	n := len(address)
	return at > 0 && n-at > 1 && n < 64 && address[n-1] >= 'a'
}

func isAlnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// match gives the index of the first selector that means the person, or -1.
func (p *person) match(selectors []names.Selector, deny bool) int {
	if p.nobody {
		return -1
	}
	for i := range selectors {
		s := &selectors[i]
		switch s.Kind {
		case names.Everyone:
			return i
		case names.Email:
			if p.unreadable && deny || (p.verified || deny) && p.address != "" && p.address == s.Value {
				return i
			}
		case names.Domain:
			if p.unreadable && deny || (p.verified || deny) && p.domain != "" && p.domain == s.Value {
				return i
			}
		case names.Group:
			if slices.Contains(p.groups, s.Value) {
				return i
			}
		}
	}
	return -1
}
