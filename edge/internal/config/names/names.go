// Package names reads the names that the edge's file and its policies hold:
// host names, and selectors that say who is meant.
//
// Shapes: Hostname gives a host name's one normal form; everything that is
// compared or stored is in it. A Selector is "everyone", "email:a@site.com",
// "domain:site.com" or "group:staff", parsed once.
//
// Errors: what is wrong with the text and what to write instead; never more.
package names

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxHostname = 253 // RFC 1035, without the trailing dot
	maxSelector = 512
)

// profile is what browsers do with a name before they look it up, with the
// length limits of DNS.
var profile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// Hostname gives the normal form: lower case, IDNA as ASCII, no trailing dot.
// An address, a wildcard or a port is refused.
func Hostname(s string) (string, error) {
	trimmed := strings.TrimSuffix(s, ".")
	switch {
	case trimmed == "":
		return "", errors.New("empty hostname")
	case len(trimmed) > 4*maxHostname: // bounds the work below
		return "", errors.New("hostname is too long")
	case isAddress(trimmed):
		return "", fmt.Errorf("%q is an address; give a hostname", s)
	}
	ascii := strings.ToLower(trimmed)
	if !isASCII(trimmed) || strings.Contains(ascii, "xn--") {
		var ok bool
		if ascii, ok = toASCII(trimmed); !ok {
			return "", fmt.Errorf("%q is not a hostname", s)
		}
	}
	if !isName(ascii) {
		return "", fmt.Errorf("%q is not a hostname: letters, digits and hyphens between dots", s)
	}
	return ascii, nil
}

// toASCII gives the form that DNS holds. It is false where that form would not
// be read back as itself.
func toASCII(s string) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	once, err := profile.ToASCII(s)
	if err != nil {
		return "", false
	}
	twice, err := profile.ToASCII(once)
	return once, err == nil && once == twice
}

// Under says whether hostname lies strictly under zone; both in normal form.
func Under(hostname, zone string) bool {
	return len(hostname) > len(zone)+1 && strings.HasSuffix(hostname, zone) && hostname[len(hostname)-len(zone)-1] == '.'
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(strings.Trim(s, "[]"))
	return err == nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// isName checks a name in lower case label by label. A last label of digits
// only would be read as an address somewhere.
func isName(s string) bool {
	if len(s) > maxHostname {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
		last = label
	}
	return strings.Trim(last, "0123456789") != ""
}
