package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config/names"
)

// Config is the edge's file, checked and with every default filled in.
type Config struct {
	// Name is the edge's public host name, without a port, in normal form.
	Name string
	// Port is the public port; default that of Listen.
	Port uint16
	// ID names this edge among the edges of one store; default "edge-1".
	ID string
	// Listen is the TCP address of the one public port; default ":8443".
	Listen string
	// Proxies are the addresses of trusted proxies in front of the edge.
	Proxies []netip.Prefix
	// State is the state directory; absolute after Load.
	State string
	Sites []Site
	// Administrators are selectors as in an app's rule.
	Administrators []string
	TLS            TLS
	// OIDC is the external provider; nil means the embedded one.
	OIDC    *OIDC
	Session Session
	Drain   Drain
	Login   Login
	Metrics Metrics
	Audit   Audit
	Log     Log
}

// Site is a DNS zone that the edge serves.
type Site struct {
	// Zone is in normal form.
	Zone string
	// Publishers may publish hostnames of the zone, besides the administrators;
	// selectors as in an app's rule.
	Publishers []string
}

// TLS names the edge's certificate files, absolute; both empty means a
// certificate of the private CA in State/ca.
type TLS struct{ Cert, Key string }

// OIDC is an external OpenID provider.
type OIDC struct {
	Issuer   string
	ClientID string
	// ClientSecretFile holds the client secret; "" means a public client.
	ClientSecretFile string
	Scopes           []string // openid is always the first
	GroupsClaim      string
	// CAFile has the certificates that the provider is checked against; "" means the system's.
	CAFile string
}

// Session bounds sessions.
type Session struct{ Lifetime time.Duration }

// Drain says how long the streams have to end when the edge is told to stop.
type Drain struct{ Deadline time.Duration }

// Login says which modes of login are allowed, ModeLoopback and ModeCode, and
// how long one may take from its start to the yes in the browser.
type Login struct {
	Modes   []string
	Timeout time.Duration
}

// Metrics is where metrics and health are served; MetricsOff means nowhere.
type Metrics struct{ Listen string }

// Audit is where the audit lines go.
type Audit struct{ File string }

// Log is how the program's own log is written.
type Log struct {
	Level  string // debug, info, warn, error
	Format string // text, json
}

// The modes of login.
const (
	ModeLoopback = "loopback"
	ModeCode     = "code"
)

// MetricsOff is Metrics.Listen where nothing is to be served.
const MetricsOff = "off"

// maxFile bounds the file: a larger one is another file.
const maxFile = 1 << 20

// Load reads, checks and completes the file. What is wrong with it is told all
// at once, as Faults that are joined.
func Load(path string) (*Config, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	data, err := readFile(abs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("config file %s does not exist; make one with sallyport-edge init: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read config file %s: %w", path, err)
	}
	return load(path, filepath.Dir(abs), data)
}

// Parse is Load for data that is to be written to file.
func Parse(file string, data []byte) (*Config, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", file, err)
	}
	return load(file, filepath.Dir(abs), data)
}

// load reads data as if it stood in file; relative paths are relative to dir.
func load(file, dir string, data []byte) (*Config, error) {
	r := &reader{file: file, lines: map[string]int{}}
	root, fault := parse(data)
	if fault != nil {
		r.faults = append(r.faults, fault)
		return nil, r.err()
	}
	c := r.config(root, dir)
	r.check(c)
	if err := r.err(); err != nil {
		return nil, err
	}
	return c, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("more than %d bytes: is this the right file?", maxFile)
	}
	return data, err
}

// Loopback says whether Listen is a loopback address only.
func (c *Config) Loopback() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// WebURL is the base of the edge's web pages, without a slash at its end:
// "http://localhost:PORT" when Loopback() and Name is localhost, else
// "https://NAME[:PORT]".
func (c *Config) WebURL() string {
	port := strconv.Itoa(int(c.Port))
	switch {
	case c.Name == "localhost" && c.Loopback():
		return "http://localhost:" + port
	case c.Port == 443:
		return "https://" + c.Name
	}
	return "https://" + net.JoinHostPort(c.Name, port)
}

// SiteOf returns the site that hostname (in normal form) lies under: the one
// with the longest zone.
func (c *Config) SiteOf(hostname string) (Site, bool) {
	var best Site
	for _, s := range c.Sites {
		if names.Under(hostname, s.Zone) && len(s.Zone) > len(best.Zone) {
			best = s
		}
	}
	return best, best.Zone != ""
}

// Socket is the admin socket of the edge with this state directory.
func (c *Config) Socket() string { return filepath.Join(c.State, "admin.sock") }

// Database is the file of the edge's store.
func (c *Config) Database() string { return filepath.Join(c.State, "edge.db") }

// CADir is the folder of the private CA.
func (c *Config) CADir() string { return filepath.Join(c.State, "ca") }
