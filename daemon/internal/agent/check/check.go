// Package check judges what callers of the local API ask for, before anything
// is stored: is it well formed, and may this caller have it?
//
// The daemon is a privileged process that does what others say. Whatever a
// plain user could not do without it, it must not do for one: listen on
// addresses beyond this machine or on ports below 1024, put a socket where only
// others may, reach addresses that are kept for the system.
//
// Errors: every function returns an *api.Problem that names the field, or nil.
package check

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/proxy"
	"github.com/sallyport/sallyport/internal/ipc"
)

// DefaultPort is an edge's port where its name has none.
const DefaultPort = 443

// firstFreePort is the lowest port that a plain user may listen on.
const firstFreePort = 1024

// Invalid is the problem of a field that makes no sense.
func Invalid(field, title, detail string) *api.Problem {
	return &api.Problem{Code: api.CodeInvalid, Title: title, Detail: detail, Field: field}
}

// Denied is the problem of a field that this caller may not have.
func Denied(field, detail string) *api.Problem {
	return &api.Problem{
		Code: api.CodePermission, Title: "Not permitted", Detail: detail, Field: field,
		Hint: "Ask an administrator of this machine (root, or a member of the group sallyport).",
	}
}

// Hostname returns a host name in its one form: lower case, no last dot.
func Hostname(s string) (string, *api.Problem) {
	name, ok := dnsName(s)
	if !ok {
		return "", Invalid("hostname", "Not a hostname", "a hostname looks like tcp.site.com")
	}
	return name, nil
}

func dnsName(s string) (string, bool) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if name == "" || len(name) > 253 {
		return "", false
	}
	digits := true // of the last label: an IPv4 address is no name
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", false
		}
		digits = true
		for _, c := range label {
			switch {
			case c >= '0' && c <= '9':
			case (c >= 'a' && c <= 'z') || c == '-' || c == '_':
				digits = false
			default:
				return "", false
			}
		}
	}
	return name, !digits
}

// EdgeName returns the name of an edge in its one form: lower case, with a port
// only where it is not DefaultPort.
func EdgeName(s string, who ipc.Identity) (string, *api.Problem) {
	host, port, ok := splitEdge(s)
	if !ok {
		return "", Invalid("name", "Not the name of an edge", "an edge is named NAME or NAME:PORT, as in edge.site.com:8443")
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if p := reachable("name", ip, who); p != nil {
			return "", p
		}
	}
	return joinEdge(host, port), nil
}

// SplitEdge takes a name of EdgeName apart.
func SplitEdge(name string) (host string, port uint16) {
	host, port, _ = splitEdge(name)
	return host, port
}

func splitEdge(s string) (string, uint16, bool) {
	host, port := s, uint16(DefaultPort)
	if h, p, err := net.SplitHostPort(s); err == nil {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return "", 0, false
		}
		host, port = h, uint16(n)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
		return ip.String(), port, true
	}
	name, ok := dnsName(host)
	return name, port, ok
}

func joinEdge(host string, port uint16) string {
	if port != DefaultPort {
		return net.JoinHostPort(host, strconv.Itoa(int(port)))
	}
	return host
}

// EdgeAddress checks an IP:PORT that is to be dialled instead of a name; "" is fine.
func EdgeAddress(s string, who ipc.Identity) *api.Problem {
	if s == "" {
		return nil
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil || at.Port() == 0 {
		return Invalid("address", "Not an address", "an address is IP:PORT, as in 192.0.2.7:8443")
	}
	return reachable("address", at.Addr(), who)
}

// Proxy checks the URL of a proxy, or the word for none; "" is fine.
func Proxy(s string, who ipc.Identity) *api.Problem {
	u, err := proxy.Parse(s)
	if err != nil {
		return Invalid("proxy", "Not a proxy", err.Error())
	}
	if u == nil {
		return nil
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return reachable("proxy", ip, who)
	}
	return nil
}

// HostKeys checks what is to become of unknown host keys; "" is fine.
func HostKeys(s string) *api.Problem {
	switch s {
	case "", api.HostKeysReport, api.HostKeysStrict:
		return nil
	}
	return Invalid("host_keys", "Not a way with host keys", "it is "+api.HostKeysReport+" or "+api.HostKeysStrict)
}

// reachable keeps plain users from addresses that mean something else to the
// daemon than to them: link-local ones, which carry the metadata of clouds, and
// those that are no single machine.
func reachable(field string, ip netip.Addr, who ipc.Identity) *api.Problem {
	ip = ip.Unmap()
	if ip.IsUnspecified() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return Invalid(field, "Not an address of an edge", ip.String()+" is no single machine")
	}
	if ip.IsLinkLocalUnicast() && !who.Administrator {
		return Denied(field, ip.String()+" is a link-local address, kept for administrators")
	}
	return nil
}

// CAPEM checks a bundle of certificates; "" is fine.
func CAPEM(s string) *api.Problem {
	if s == "" {
		return nil
	}
	n := 0
	for rest := []byte(s); ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return Invalid("ca_pem", "Not a bundle of certificates", fmt.Sprintf("it holds a %s", block.Type))
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return Invalid("ca_pem", "Not a bundle of certificates", fmt.Sprintf("certificate %d: %v", n+1, err))
		}
	}
	if n == 0 {
		return Invalid("ca_pem", "Not a bundle of certificates", "it holds no certificate in PEM form")
	}
	return nil
}

// Listen checks whether a caller may listen there. Whether one could is checked
// by the forward itself.
func Listen(listen string, who ipc.Identity) *api.Problem {
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		return unixListen(path, who)
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return Invalid("listen", "Not an address to listen on", "it is localhost:PORT, IP:PORT or unix:/PATH")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return Invalid("listen", "Not a port", "a port is a number from 1 to 65535")
	}
	if who.Administrator {
		return nil
	}
	if n < firstFreePort {
		return Denied("listen", fmt.Sprintf("ports below %d are kept for administrators", firstFreePort))
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && !ip.Unmap().IsLoopback() {
		return Denied("listen", "only administrators may listen on addresses that other machines can reach")
	}
	return nil
}

// Share checks who else may use a forward's port: "everyone", "group:NAME", or ""
// for nobody. Who uses it does so with the owner's session, so neither is shared
// nor changed where it is but by an administrator.
func Share(share, listen string, who ipc.Identity) *api.Problem {
	group, named := strings.CutPrefix(share, api.ShareGroup)
	switch {
	case share == "":
		return nil
	case !who.Administrator:
		return Denied("share", "only administrators share forwards with others, and change those that are shared")
	case strings.HasPrefix(listen, "unix:"):
		return Invalid("share", "Not of a Unix socket", "who may use a socket is what the modes of its folder say; share a port")
	case share == api.ShareEveryone:
		return nil
	case !named || group == "":
		return Invalid("share", "Not somebody to share with", "it is everyone or group:NAME")
	case !ipc.GroupExists(group):
		return Invalid("share", "No such group", "this system knows no group "+group)
	}
	return nil
}

func unixListen(path string, who ipc.Identity) *api.Problem {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || !plainText(path) {
		return Invalid("listen", "Not a path for a socket", "it is absolute, without . or .., and has no control characters")
	}
	if who.Administrator {
		return nil
	}
	if err := ownsDirectory(filepath.Dir(path), who.UID); err != nil {
		return Denied("listen", err.Error())
	}
	return nil
}

// plainText says whether a text can be shown to others, root among them, on one
// line.
func plainText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
	})
}

// Origin checks where a tunnel leads, and returns it in its one form.
func Origin(s string) (string, *api.Problem) {
	invalid := Invalid("origin", "Not an origin", "an origin is tcp://HOST:PORT or unix:/PATH")
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		path = strings.TrimPrefix(path, "//")
		if !filepath.IsAbs(path) || !plainText(path) {
			return "", invalid
		}
		return "unix:" + path, nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "tcp" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return "", invalid
	}
	host := u.Hostname()
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || n == 0 {
		return "", Invalid("origin", "Not an origin", "the port is missing: tcp://HOST:PORT")
	}
	if _, err := netip.ParseAddr(host); err != nil {
		if _, ok := dnsName(host); !ok {
			return "", invalid
		}
	}
	return "tcp://" + net.JoinHostPort(host, u.Port()), nil
}

// Login checks how somebody wants to sign in, and fills in what is left out.
func Login(in api.LoginInput, who ipc.Identity) (api.LoginInput, *api.Problem) {
	switch in.Purpose {
	case "":
		in.Purpose = api.PurposeSession
	case api.PurposeSession:
	case api.PurposeEnrol:
		if !who.Administrator {
			return in, Denied("purpose", "only administrators may make this machine a host")
		}
	default:
		return in, Invalid("purpose", "Not a purpose of a login", "it is session or enrol")
	}
	switch in.Mode {
	case api.ModeCode:
		if in.LoopbackPort != 0 || in.LoopbackPath != "" {
			return in, Invalid("loopback_port", "Not of this mode", "a login by code has no listener")
		}
	case api.ModeLoopback:
		if in.LoopbackPort < firstFreePort {
			return in, Invalid("loopback_port", "Not a port of a listener", "a login by loopback names the port of the listener")
		}
		if !plainPath(in.LoopbackPath) {
			return in, Invalid("loopback_path", "Not a path", "it begins with / and has at most 128 letters, digits, - and _")
		}
	default:
		return in, Invalid("mode", "Not a mode of a login", "it is loopback or code")
	}
	return in, nil
}

func plainPath(s string) bool {
	const longest = 128
	if len(s) < 2 || len(s) > longest || s[0] != '/' {
		return false
	}
	for _, c := range s[1:] {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '/') {
			return false
		}
	}
	return true
}
