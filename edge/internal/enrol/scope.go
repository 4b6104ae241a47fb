package enrol

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/wire"
)

// maxScope bounds the globs of one enrolment.
const maxScope = 64

// wholeSite is the scope of an enrolment that names no hostnames.
func wholeSite(zone string) []string { return []string{zone, "*." + zone} }

// scopeOf checks the globs that an enrolment asks for; none means the whole site.
func (s *Service) scopeOf(zone string, globs []string) ([]string, error) {
	if len(globs) == 0 {
		return wholeSite(zone), nil
	}
	if len(globs) > maxScope {
		return nil, reason(wire.CodeInvalid, "too many hostname patterns", "use a wildcard such as *."+zone)
	}
	scope := make([]string, 0, len(globs))
	for _, g := range globs {
		g = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(g), "."))
		if !validName(g, true) {
			return nil, reason(wire.CodeInvalid, quote(g)+" is not a hostname pattern", "write it like tcp."+zone+" or *."+zone)
		}
		if !within(zone, g) {
			return nil, reason(wire.CodeOutOfScope, g+" is outside the site "+zone, "name hostnames that end in ."+zone)
		}
		if owner := s.zoneOf(strings.TrimPrefix(g, "*.")); owner != zone {
			return nil, reason(wire.CodeOutOfScope, g+" is under "+owner+", which is a site of its own", "enrol for the site "+owner)
		}
		scope = append(scope, g)
	}
	slices.Sort(scope)
	return slices.Compact(scope), nil
}

// within says whether a name or glob lies in a zone, the zone itself included.
func within(zone, name string) bool {
	return name == zone || strings.HasSuffix(name, "."+zone)
}

// matches says whether a glob covers a hostname. A first label "*" stands for
// one or more labels, any other "*" for a run of characters within its label.
func matches(glob, hostname string) bool {
	if rest, ok := strings.CutPrefix(glob, "*."); ok {
		for {
			_, after, found := strings.Cut(hostname, ".")
			if !found {
				return false
			}
			if matches(rest, after) {
				return true
			}
			hostname = after
		}
	}
	globs, labels := strings.Split(glob, "."), strings.Split(hostname, ".")
	return slices.EqualFunc(globs, labels, matchLabel)
}

func matchLabel(glob, label string) bool {
	first, rest, star := strings.Cut(glob, "*")
	if !star {
		return glob == label
	}
	label, ok := strings.CutPrefix(label, first)
	if !ok {
		return false
	}
	for i := range len(label) + 1 {
		if matchLabel(rest, label[i:]) {
			return true
		}
	}
	return false
}

// validName says whether s is a DNS name in lower case; a glob may hold stars,
// at most two of them.
func validName(s string, glob bool) bool {
	if s == "" || len(s) > 253 || strings.Count(s, "*") > 2 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			switch {
			case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			case c == '*' && glob:
			default:
				return false
			}
		}
	}
	return true
}
