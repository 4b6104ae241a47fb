package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const minimal = `name: edge.site.com
sites:
  - zone: site.com
`

func TestDefaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "edge.yaml")
	if err := os.WriteFile(file, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Name: "edge.site.com", Port: 8443, ID: "edge-1", Listen: ":8443", State: filepath.Join(dir, "state"),
		Sites:          []Site{{Zone: "site.com", Publishers: []string{}}},
		Administrators: []string{"group:admins"},
		Session:        Session{12 * time.Hour},
		Drain:          Drain{5 * time.Second},
		Login:          Login{[]string{"loopback", "code"}, 10 * time.Minute},
		Metrics:        Metrics{"127.0.0.1:9464"},
		Audit:          Audit{filepath.Join(dir, "state", "audit", "audit.jsonl")},
		Log:            Log{"info", "text"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestEveryKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"secret", "ca.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := load("edge.yaml", dir, []byte(`
name: Edge.Site.com.
listen: "127.0.0.1:9443"
port: 443
id: "eu-1"
state: /var/lib/edge
sites:
  - zone: Site.com
    publishers: [group:platform, "email:Bob@site.com"]
  - {zone: other.org}
administrators:
  - domain:ops.site.com
tls: {cert: c.pem, key: /k.pem}
oidc:
  issuer: https://id.site.com/realm
  client_id: "4711"
  client_secret_file: secret
  scopes: [email]
  groups_claim: roles
  ca_file: ca.pem
session: {lifetime: 90m}
drain: {deadline: 0s}
login:
  modes: [code]
  timeout: 2m
metrics: {listen: "off"}
audit: {file: audit.jsonl}
log:
  level: debug
  format: json
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Name: "edge.site.com", Port: 443, ID: "eu-1", Listen: "127.0.0.1:9443", State: "/var/lib/edge",
		Sites:          []Site{{"site.com", []string{"group:platform", "email:bob@site.com"}}, {"other.org", []string{}}},
		Administrators: []string{"domain:ops.site.com"},
		TLS:            TLS{filepath.Join(dir, "c.pem"), "/k.pem"},
		OIDC: &OIDC{"https://id.site.com/realm", "4711", filepath.Join(dir, "secret"), []string{"openid", "email"}, "roles",
			filepath.Join(dir, "ca.pem")},
		Session: Session{90 * time.Minute},
		Login:   Login{[]string{"code"}, 2 * time.Minute},
		Metrics: Metrics{"off"},
		Audit:   Audit{filepath.Join(dir, "audit.jsonl")},
		Log:     Log{"debug", "json"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%+v\n%+v\nwant\n%+v\n%+v", got, got.OIDC, want, want.OIDC)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, yaml, want string
	}{
		{"empty", "", "edge.yaml: name: is missing"},
		{"only comments", "# nothing\n", "edge.yaml: name: is missing"},
		{"no sites", "name: edge.site.com\n", "edge.yaml: sites: is missing"},
		{"unknown key", minimal + "lisen: \":1\"\n", "edge.yaml:4: lisen: is not a key; did you mean listen?"},
		{"unknown key, far off", minimal + "log:\n  colour: red\n", "edge.yaml:5: log.colour: is not a key; here are: level, format"},
		{"unknown key in a list", minimal + "    publisher: [everyone]\n", "edge.yaml:4: sites[0].publisher: is not a key; did you mean publishers?"},
		{"twice", minimal + "name: b.site.com\n", "edge.yaml:4: name: is there twice, first in line 1"},
		{"section twice", minimal + "log: {level: info}\nlog: {level: debug}\n", "edge.yaml:5: log: is there twice"},
		{"wrong type, text", minimal + "id: 7\n", "edge.yaml:4: id: is a number; write text"},
		{"wrong type, list for text", minimal + "listen:\n  - a\n", "edge.yaml:4: listen: is a list"},
		{"wrong type, text for list", minimal + "administrators: everyone\n", "edge.yaml:4: administrators: is text; write a list"},
		{"wrong type, text for section", minimal + "log: debug\n", "edge.yaml:4: log: is text; write keys"},
		{"wrong type, item", minimal + "administrators: [everyone, 7]\n", "edge.yaml:4: administrators[1]: is a number"},
		{"wrong type, port", minimal + "port: \"443\"\n", "edge.yaml:4: port: write a number between 1 and 65535"},
		{"port out of range", minimal + "port: 70000\n", "edge.yaml:4: port: write a number"},
		{"port negative", minimal + "port: -1\n", "edge.yaml:4: port: write a number"},
		{"list at the top", "- a\n", "is a list; write keys"},
		{"anchor", minimal + "log: &x\n  level: debug\n", "edge.yaml:4: log: is a value of another kind"},
		{"not yaml", "name: [edge\n", "this is not YAML"},
		{"tab", "name: a\n\tb: c\n", "this is not YAML"},
		{"two documents", minimal + "---\nname: x\n", "several documents"},
		{"name", "name: edge.site.com:443\nsites: [{zone: site.com}]\n", "edge.yaml:1: name: \"edge.site.com:443\" is not a hostname"},
		{"name is an address", "name: 192.0.2.1\nsites: [{zone: site.com}]\n", "edge.yaml:1: name: \"192.0.2.1\" is an address"},
		{"zone missing", "name: a.b\nsites:\n  - publishers: [everyone]\n", "edge.yaml:3: sites[0].zone: is missing"},
		{"zone wildcard", "name: a.b\nsites:\n  - zone: \"*.site.com\"\n", "edge.yaml:3: sites[0].zone: \"*.site.com\" is not a hostname"},
		{"zone twice", minimal + "  - zone: SITE.com\n", "edge.yaml:4: sites[1].zone: is the same as sites[0].zone"},
		{"selector", minimal + "administrators:\n  - everyone\n  - alice@site.com\n", "edge.yaml:6: administrators[1]: selector \"alice@site.com\": write everyone, email:ADDRESS"},
		{"listen without port", minimal + "listen: localhost\n", "edge.yaml:4: listen: \"localhost\" has no port"},
		{"listen by name", minimal + "listen: edge.site.com:443\n", "edge.yaml:4: listen: \"edge.site.com:443\": write an IP address"},
		{"listen port 0", minimal + "listen: \":0\"\n", "edge.yaml:4: listen: \":0\": the port must be"},
		{"metrics", minimal + "metrics: {listen: none}\n", "metrics.listen: \"none\" has no port"},
		{"id", minimal + "id: Edge 1\n", "edge.yaml:4: id: write lower-case letters"},
		{"cert alone", minimal + "tls: {cert: c.pem}\n", "tls.cert: stands without tls.key"},
		{"key alone", minimal + "tls: {key: c.pem}\n", "tls.key: stands without tls.cert"},
		{"issuer http", minimal + "oidc: {issuer: \"http://id.site.com\", client_id: a}\n", "oidc.issuer: write an https URL"},
		{"issuer no url", minimal + "oidc: {issuer: id.site.com, client_id: a}\n", "oidc.issuer: write a URL"},
		{"issuer missing", minimal + "oidc:\n  client_id: a\n", "oidc.issuer: is missing"},
		{"client id missing", minimal + "oidc:\n  issuer: https://id.site.com\n", "oidc.client_id: is missing"},
		{"secret file", minimal + "oidc: {issuer: \"https://id.site.com\", client_id: a, client_secret_file: none}\n", "oidc.client_secret_file: the file cannot be read (no such file"},
		{"lifetime without unit", minimal + "session: {lifetime: 12}\n", "session.lifetime: write a duration with its unit"},
		{"lifetime too long", minimal + "session: {lifetime: 721h}\n", "session.lifetime: write a duration between"},
		{"lifetime negative", minimal + "session: {lifetime: -1h}\n", "session.lifetime: write a duration between"},
		{"drain too long", minimal + "drain: {deadline: 2h}\n", "drain.deadline: write a duration between"},
		{"modes empty", minimal + "login: {modes: []}\n", "login.modes: allows no login"},
		{"modes", minimal + "login:\n  modes:\n    - loopback\n    - carrier-pigeon\n", "edge.yaml:7: login.modes[1]: \"carrier-pigeon\" is none of: loopback, code"},
		{"level", minimal + "log: {level: loud}\n", "log.level: \"loud\" is none of: debug, info, warn, error"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load("edge.yaml", t.TempDir(), []byte(c.yaml))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestFaultsAreJoined(t *testing.T) {
	t.Parallel()
	_, err := load("edge.yaml", t.TempDir(), []byte("name: a b\nlog: {level: x}\nport: 0\nfoo: 1\n"))
	for _, want := range []string{"edge.yaml:1: name", "edge.yaml:2: log.level", "edge.yaml:3: port", "edge.yaml:4: foo", "sites"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in:\n%v", want, err)
		}
	}
}

// TestSecretsAreNotRepeated: whatever is done wrong around a secret, it is not printed.
func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	const canary = "hunter2canary"
	head := minimal + "oidc:\n  issuer: https://id.site.com\n  client_id: a\n"
	for _, tail := range []string{
		"  client_secret: " + canary,
		"  client_secret_file: " + canary,
		"  client_secret_file: [" + canary + "]",
		"  client_secret_file: [" + canary,
		"  client_secret_file: \"" + canary,
		"  client_secret_file: {a: " + canary + "}",
		"  client_secret: a: " + canary,
		"  client_secret_file: &" + canary + " *" + canary,
		"  client_secret_file: |\n  " + canary,
		"  client_secret_file:\n\t" + canary,
		"  client_secret_file: a\n  client_secret_file: " + canary,
		"  client_secret_file: !!binary " + canary,
	} {
		_, err := load("edge.yaml", t.TempDir(), []byte(head+tail+"\n"))
		if err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", tail, err)
		}
	}
}

func TestLoadFileErrors(t *testing.T) {
	t.Parallel()
	if _, err := Load(filepath.Join(t.TempDir(), "edge.yaml")); err == nil || !strings.Contains(err.Error(), "sallyport-edge init") {
		t.Errorf("no file: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil {
		t.Error("a directory was read")
	}
	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(big); err == nil || !strings.Contains(err.Error(), "right file") {
		t.Errorf("large file: %v", err)
	}
}

func TestWebURL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, listen string
		port         uint16
		url          string
		loopback     bool
	}{
		{"edge.site.com", ":8443", 8443, "https://edge.site.com:8443", false},
		{"edge.site.com", ":443", 443, "https://edge.site.com", false},
		{"edge.site.com", "127.0.0.1:8443", 443, "https://edge.site.com", true},
		{"localhost", "127.0.0.1:8443", 8443, "http://localhost:8443", true},
		{"localhost", "[::1]:8443", 8443, "http://localhost:8443", true},
		{"localhost", "localhost:8443", 8443, "http://localhost:8443", true},
		{"localhost", ":8443", 8443, "https://localhost:8443", false},
		{"localhost", "0.0.0.0:8443", 8443, "https://localhost:8443", false},
	} {
		cfg := Config{Name: c.name, Listen: c.listen, Port: c.port}
		if cfg.WebURL() != c.url || cfg.Loopback() != c.loopback {
			t.Errorf("%+v: %s, loopback %v", c, cfg.WebURL(), cfg.Loopback())
		}
	}
}

func TestSiteOf(t *testing.T) {
	t.Parallel()
	c := Config{Sites: []Site{{Zone: "site.com"}, {Zone: "eu.site.com"}}}
	for host, want := range map[string]string{"a.site.com": "site.com", "a.eu.site.com": "eu.site.com", "eu.site.com": "site.com", "site.com": "", "other.org": ""} {
		if s, ok := c.SiteOf(host); s.Zone != want || ok != (want != "") {
			t.Errorf("%s: %q %v", host, s.Zone, ok)
		}
	}
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, in := range []TemplateInput{
		{Name: "edge.site.com", Listen: ":8443", State: "state", Zones: []string{"site.com", "other.org"}},
		{Name: "localhost", Listen: "127.0.0.1:9443", State: `/a "b" \c`, Zones: []string{"site.com"}, Cert: "a.pem", Key: "b.pem"},
	} {
		text := Template(in)
		c, err := load("edge.yaml", dir, text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if c.Name != in.Name || c.Listen != in.Listen || c.State != under(dir, in.State) || len(c.Sites) != len(in.Zones) || c.TLS.Cert != under(dir, in.Cert) {
			t.Errorf("%+v of\n%s", c, text)
		}
		if !reflect.DeepEqual(c.Administrators, []string{"group:admins"}) || c.OIDC != nil {
			t.Errorf("%+v of\n%s", c, text)
		}
	}
}

// TestTemplateUncommented: every key of the table stands in the file, and what
// stands there as a comment is good once the mark is taken away.
func TestTemplateUncommented(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"client-secret", "provider-ca.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	for line := range strings.Lines(string(Template(TemplateInput{Name: "edge.site.com", Listen: ":1", State: "s", Zones: []string{"site.com"}}))) {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		bare, comment := strings.CutPrefix(strings.TrimLeft(line, " "), "# ")
		if name, _, ok := strings.Cut(bare, ":"); comment && ok && isKeyName(name) && !strings.HasPrefix(bare, "zone: The") && !strings.HasPrefix(bare, "publishers: Who") {
			line = indent + bare
		}
		out.WriteString(line)
	}
	c, err := load("edge.yaml", dir, []byte(out.String()))
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if c.OIDC == nil || c.Port != 443 || c.Session.Lifetime != defaultLifetime || len(c.Sites[0].Publishers) != 1 {
		t.Errorf("%+v", c)
	}
	for _, k := range keys {
		name := k.Path[strings.LastIndexByte(k.Path, '.')+1:]
		if !strings.Contains(out.String(), name+":") {
			t.Errorf("%s is not in the file", k.Path)
		}
	}
}

// docs/configuration.md says of each key what the file that init writes says.
func TestKeysAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		row := "| `" + k.Path + "` |"
		_, rest, ok := strings.Cut(string(page), "\n"+row)
		if !ok {
			t.Errorf("%s has no row", k.Path)
			continue
		}
		said, _, _ := strings.Cut(rest, "\n")
		want := strings.ReplaceAll(k.Doc, "\n", " ")
		if !strings.HasSuffix(said, "| "+want+" |") {
			t.Errorf("%s: the page says%s\nthe file %s", k.Path, said, want)
		}
		if d := strings.Trim(k.Default, "`"); d != "" && !strings.HasPrefix(said, " "+d+" |") && !strings.HasPrefix(said, " `"+d+"` |") {
			t.Errorf("%s: the page's default%s, the file's %s", k.Path, said, d)
		}
	}
}

func isKeyName(s string) bool {
	for _, k := range keys {
		head, rest, _ := strings.Cut(k.Path, ".")
		if s == head || s == rest || s == "publishers" {
			return true
		}
	}
	return false
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add(Template(TemplateInput{Name: "a.b", Listen: ":1", State: "s", Zones: []string{"c.d"}}))
	f.Add([]byte("a: &x [*x]\n? b\n: - {c: d}\n<<: *x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := load("edge.yaml", "/nowhere", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v and %v", c, err)
		}
	})
}
