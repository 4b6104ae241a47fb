package config

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config/names"
)

const (
	defaultListen   = ":8443"
	defaultMetrics  = "127.0.0.1:9464"
	defaultLifetime = 12 * time.Hour
	// defaultLogin is time to find the second factor, and to be sent mail by it.
	defaultLogin = 10 * time.Minute
	// defaultDrain lets short streams end; whoever connects meanwhile is refused.
	defaultDrain = 5 * time.Second
)

// embeddedAdmins is the group that the embedded provider puts the first person in.
const embeddedAdmins = "group:admins"

// config fills a Config with what the file says and the defaults. dir is what
// relative paths are relative to.
func (r *reader) config(root value, dir string) *Config {
	top := r.section(root, "")
	c := &Config{
		Name:    r.hostname("name", top.text("name", "")),
		Listen:  top.text("listen", defaultListen),
		ID:      top.text("id", "edge-1"),
		State:   under(dir, top.text("state", "state")),
		Sites:   r.sites(top),
		Session: Session{Lifetime: top.section("session").duration("lifetime", defaultLifetime)},
		Drain:   Drain{Deadline: top.section("drain").duration("deadline", defaultDrain)},
		Metrics: Metrics{Listen: top.section("metrics").text("listen", defaultMetrics)},
	}
	login := top.section("login")
	c.Login = Login{Modes: login.texts("modes", []string{ModeLoopback, ModeCode}), Timeout: login.duration("timeout", defaultLogin)}
	files := top.section("tls")
	c.TLS = TLS{Cert: under(dir, files.text("cert", "")), Key: under(dir, files.text("key", ""))}
	if top.has("oidc") {
		c.OIDC = readOIDC(top.section("oidc"), dir)
	}
	var admins []string
	if c.OIDC == nil {
		admins = []string{embeddedAdmins}
	}
	c.Administrators = r.selectors("administrators", top.texts("administrators", admins))
	c.Audit.File = under(dir, top.section("audit").text("file", ""))
	if c.Audit.File == "" {
		c.Audit.File = filepath.Join(c.State, "audit", "audit.jsonl")
	}
	log := top.section("log")
	c.Log = Log{Level: log.text("level", "info"), Format: log.text("format", "text")}
	c.Proxies = r.prefixes("proxies", top.texts("proxies", nil))
	c.Port = top.port("port", portOf(c.Listen))
	return c
}

func (r *reader) sites(top section) []Site {
	var sites []Site
	for i, v := range top.list("sites") {
		path := fmt.Sprintf("sites[%d].", i)
		r.lines[path[:len(path)-1]] = v.line
		s := r.section(v, path)
		if !s.has("zone") {
			r.fault(v.line, path+"zone", "is missing; write the DNS zone, such as site.com")
		}
		sites = append(sites, Site{
			Zone:       r.hostname(path+"zone", s.text("zone", "")),
			Publishers: r.selectors(path+"publishers", s.texts("publishers", nil)),
		})
	}
	return sites
}

func readOIDC(s section, dir string) *OIDC {
	o := &OIDC{
		Issuer:           s.text("issuer", ""),
		ClientID:         s.text("client_id", ""),
		ClientSecretFile: under(dir, s.text("client_secret_file", "")),
		Scopes:           s.texts("scopes", []string{"openid", "email", "profile"}),
		GroupsClaim:      s.text("groups_claim", "groups"),
		CAFile:           under(dir, s.text("ca_file", "")),
	}
	if !slices.Contains(o.Scopes, "openid") {
		o.Scopes = append([]string{"openid"}, o.Scopes...)
	}
	return o
}

// hostname gives the normal form; "" is left for check, which knows whether the
// key is required.
func (r *reader) hostname(key, text string) string {
	if text == "" {
		return ""
	}
	name, err := names.Hostname(text)
	if err != nil {
		r.wrong(key, "%v", err)
	}
	return name
}

// selectors gives each in its normal form.
func (r *reader) selectors(key string, texts []string) []string {
	normal := make([]string, 0, len(texts))
	for i, text := range texts {
		s, err := names.ParseSelector(text)
		if err != nil {
			r.wrong(fmt.Sprintf("%s[%d]", key, i), "%v", err)
			continue
		}
		normal = append(normal, s.String())
	}
	return normal
}

// prefixes takes addresses and networks.
func (r *reader) prefixes(key string, texts []string) []netip.Prefix {
	var all []netip.Prefix
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if ip, ipErr := netip.ParseAddr(text); ipErr == nil {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			r.wrong(fmt.Sprintf("%s[%d]", key, i), "%q: write an IP address, or a network such as 10.1.0.0/16", text)
			continue
		}
		all = append(all, p.Masked())
	}
	return all
}

// under makes a path absolute; "" stays "".
func under(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// portOf is 0 where the address has none that could be used.
func portOf(address string) uint16 {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return 0
	}
	return uint16(n)
}
