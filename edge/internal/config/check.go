package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"time"
)

const (
	minLifetime = time.Second // shorter than a login makes no sense; tests use seconds
	maxLifetime = 30 * 24 * time.Hour
	maxDrain    = time.Hour
	minLogin    = time.Second
	// maxLogin is below what a link without a session may live (rule 7: 15 min).
	maxLogin = 10 * time.Minute
)

var idForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// check finds what is wrong beyond a single value's form.
func (r *reader) check(c *Config) {
	if c.Name == "" && !r.hasFault("name") {
		r.wrong("name", "is missing; write the edge's public host name, such as edge.site.com")
	}
	r.checkListen("listen", c.Listen)
	if c.Metrics.Listen != MetricsOff {
		r.checkListen("metrics.listen", c.Metrics.Listen)
	}
	if !idForm.MatchString(c.ID) {
		r.wrong("id", "write lower-case letters, digits and hyphens, at most 63")
	}
	r.checkSites(c.Sites)
	switch {
	case c.TLS.Cert != "" && c.TLS.Key == "":
		r.wrong("tls.cert", "stands without tls.key; give both files, or neither for the private CA")
	case c.TLS.Cert == "" && c.TLS.Key != "":
		r.wrong("tls.key", "stands without tls.cert; give both files, or neither for the private CA")
	}
	if c.OIDC != nil {
		r.checkOIDC(c.OIDC)
	}
	if l := c.Session.Lifetime; l < minLifetime || l > maxLifetime {
		r.wrong("session.lifetime", "write a duration between 1s and 720h")
	}
	if d := c.Drain.Deadline; d < 0 || d > maxDrain {
		r.wrong("drain.deadline", "write a duration between 0s and 1h")
	}
	if t := c.Login.Timeout; t < minLogin || t > maxLogin {
		r.wrong("login.timeout", "write a duration between 1s and 10m")
	}
	if len(c.Login.Modes) == 0 {
		r.wrong("login.modes", "allows no login at all; write loopback, code or both")
	}
	for i, m := range c.Login.Modes {
		r.oneOf(fmt.Sprintf("login.modes[%d]", i), m, ModeLoopback, ModeCode)
	}
	r.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	r.oneOf("log.format", c.Log.Format, "text", "json")
}

func (r *reader) hasFault(key string) bool {
	return slices.ContainsFunc(r.faults, func(f *Fault) bool { return f.Key == key })
}

func (r *reader) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		r.wrong(key, "%q is none of: %s", value, join(allowed))
	}
}

func (r *reader) checkListen(key, address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		r.wrong(key, "%q has no port; write \":8443\" or \"127.0.0.1:8443\"", address)
		return
	}
	if portOf(address) == 0 {
		r.wrong(key, "%q: the port must be a number between 1 and 65535", address)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		r.wrong(key, "%q: write an IP address of this machine before the port, or nothing for all", address)
	}
}

func (r *reader) checkSites(sites []Site) {
	if len(sites) == 0 && !r.hasFault("sites") {
		r.wrong("sites", "is missing; list at least one DNS zone:\n  sites:\n    - zone: site.com")
	}
	first := map[string]int{}
	for i, s := range sites {
		if s.Zone == "" {
			continue
		}
		if n, twice := first[s.Zone]; twice {
			r.wrong(fmt.Sprintf("sites[%d].zone", i), "is the same as sites[%d].zone; remove one", n)
			continue
		}
		first[s.Zone] = i
	}
}

func (r *reader) checkOIDC(o *OIDC) {
	if o.Issuer == "" {
		r.wrong("oidc.issuer", "is missing; write the provider's issuer, such as https://id.site.com")
	} else if problem := issuerProblem(o.Issuer); problem != "" {
		r.wrong("oidc.issuer", "%s", problem)
	}
	if o.ClientID == "" {
		r.wrong("oidc.client_id", "is missing; write the client id that the provider gave")
	}
	if o.GroupsClaim == "" {
		r.wrong("oidc.groups_claim", "is empty; write a claim's name, or leave it out")
	}
	r.checkFile("oidc.client_secret_file", o.ClientSecretFile)
	r.checkFile("oidc.ca_file", o.CAFile)
}

// issuerProblem keeps the word of the provider from going over a network in the clear.
func issuerProblem(issuer string) string {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "write a URL without user, query or fragment, such as https://id.site.com"
	case u.Scheme == "https":
		return ""
	case u.Scheme == "http" && isLoopbackHost(u.Hostname()):
		return ""
	}
	return "write an https URL; http is for a provider on localhost only"
}

func isLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkFile does not repeat the path: somebody may have put the secret itself there.
func (r *reader) checkFile(key, path string) {
	if path == "" {
		return
	}
	f, err := os.Open(path)
	if err == nil {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && info.IsDir() {
			err = errors.New("it is a directory")
		}
		f.Close()
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		r.wrong(key, "the file cannot be read (%v); write the path of a file that this user may read", err)
	}
}

func join(words []string) string {
	var s string
	for i, w := range words {
		if i > 0 {
			s += ", "
		}
		s += w
	}
	return s
}
