// Package input turns the words of a command line into the fields of the local
// API: hostnames, local addresses, origins, edges, and the names of objects.
//
// Errors: a mistake of the person is an Error; a name that means nothing, or
// more than one thing, is an *api.Problem.
package input

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
)

// Error is a mistake in the words of a command line.
type Error struct{ err error }

// Error gives the sentence.
func (e Error) Error() string { return e.err.Error() }

// Unwrap gives what it was made of.
func (e Error) Unwrap() error { return e.err }

// Wrap makes a mistake of an error.
func Wrap(err error) error { return Error{err} }

// Errorf makes a mistake with a sentence.
func Errorf(format string, args ...any) error { return Error{fmt.Errorf(format, args...)} }

// Hostname takes what people paste for a hostname: with a scheme, a slash at
// the end, a dot, capitals.
func Hostname(s string) (string, error) {
	h := strings.TrimSpace(s)
	if _, rest, ok := strings.Cut(h, "://"); ok {
		h = rest
	}
	h = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(h, "/"), "."))
	switch {
	case h == "":
		return "", Errorf("a hostname is needed, such as tcp.site.com")
	case strings.ContainsAny(h, "/:@?# "):
		return "", Errorf("%q is not a hostname such as tcp.site.com", s)
	}
	return h, nil
}

// Listen takes "localhost:9210", "9210", ":9210", "tcp://localhost:9210"
// and "unix:PATH" for the local end of a forward.
func Listen(s string) (string, error) {
	l := strings.TrimSpace(s)
	if path, ok := strings.CutPrefix(l, "unix:"); ok {
		return Unix(path)
	}
	if _, rest, ok := strings.Cut(l, "://"); ok {
		l = strings.TrimSuffix(rest, "/")
	}
	if !strings.Contains(l, ":") {
		l = ":" + l
	}
	host, port, err := net.SplitHostPort(l)
	if err != nil || !isPort(port) {
		return "", Errorf("%q is not a local address such as localhost:9210 or unix:/path", s)
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(strings.ToLower(host), port), nil
}

// Unix makes the path absolute: the daemon has another directory.
func Unix(path string) (string, error) {
	path = strings.TrimPrefix(path, "//")
	if path == "" {
		return "", Errorf("a path is needed, such as unix:/run/user/1000/db.sock")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("path %s: %w", path, err)
	}
	return "unix:" + abs, nil
}

// schemePorts are the ports of the schemes that people write for an origin. All
// of them are carried as plain TCP.
var schemePorts = map[string]string{"tcp": "", "ssh": "22", "http": "80", "https": "443", "rdp": "3389", "smb": "445", "vnc": "5900"}

// Origin takes "tcp://localhost:7870", "localhost:7870", "ssh://localhost" and
// "unix:PATH" for the service that a tunnel publishes.
func Origin(s string) (string, error) {
	o := strings.TrimSpace(s)
	if o == "" {
		return "", Errorf("the service to publish is needed, such as --url tcp://localhost:7870")
	}
	if path, ok := strings.CutPrefix(o, "unix:"); ok {
		return Unix(path)
	}
	fallback := ""
	if scheme, rest, ok := strings.Cut(o, "://"); ok {
		port, known := schemePorts[strings.ToLower(scheme)]
		if !known {
			return "", Errorf("%q: the scheme %s is not known; use tcp://HOST:PORT", s, scheme)
		}
		fallback, o = port, strings.TrimSuffix(rest, "/")
	}
	if isPort(o) {
		o = "localhost:" + o
	}
	host, port, err := net.SplitHostPort(o)
	if err != nil && fallback != "" {
		host, port, err = strings.Trim(o, "[]"), fallback, nil
	}
	if err != nil || !isPort(port) || strings.ContainsAny(host, "/@ ") {
		return "", Errorf("%q is not a service such as tcp://localhost:7870 or unix:/path", s)
	}
	if host == "" {
		host = "localhost"
	}
	return "tcp://" + net.JoinHostPort(strings.ToLower(host), port), nil
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}

// Edge takes NAME or NAME:PORT, and a pasted https URL, and leaves out the
// port that goes without saying.
func Edge(s string) (string, error) {
	n := strings.TrimPrefix(strings.TrimSpace(s), "https://")
	n = strings.ToLower(strings.TrimSuffix(n, "/"))
	name, port := n, "443"
	if _, err := netip.ParseAddr(strings.Trim(n, "[]")); err == nil {
		name = strings.Trim(n, "[]")
	} else if strings.Contains(n, ":") {
		var err error
		if name, port, err = net.SplitHostPort(n); err != nil {
			return "", Errorf("%q is not an edge such as edge.site.com or edge.site.com:8443", s)
		}
	}
	if name == "" || !isPort(port) || strings.ContainsAny(name, "/@?# ") {
		return "", Errorf("%q is not an edge such as edge.site.com or edge.site.com:8443", s)
	}
	if port == "443" {
		if strings.Contains(name, ":") {
			return "[" + name + "]", nil
		}
		return name, nil
	}
	return net.JoinHostPort(name, port), nil
}
