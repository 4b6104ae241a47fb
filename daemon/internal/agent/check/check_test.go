package check

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/ipc"
)

var (
	plain = ipc.Identity{UID: "1000", Name: "bob"}
	admin = ipc.Identity{UID: "0", Name: "root", Administrator: true, Root: true}
)

func codeOf(p *api.Problem) api.Code {
	if p == nil {
		return ""
	}
	return p.Code
}

func TestHostname(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"tcp.site.com": "tcp.site.com", "TCP.Site.Com.": "tcp.site.com", "db": "db", "_x.site.com": "_x.site.com", "xn--bcher-kva.de": "xn--bcher-kva.de",
		"": "", ".": "", "a..b": "", "-a.b": "", "a-.b": "", "a b": "", "1.2.3.4": "", "::1": "", "a/b": "", "a:1": "", "ä.de": "", "*.site.com": "",
		strings.Repeat("a", 64) + ".com": "", strings.Repeat("a.", 127) + "aa": "",
	} {
		got, p := Hostname(in)
		if got != want || (want == "") != (codeOf(p) == api.CodeInvalid) {
			t.Errorf("%q: %q, %v; want %q", in, got, p, want)
		}
	}
}

func TestEdgeName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in, want string
		who      ipc.Identity
		code     api.Code
	}{
		{"edge.site.com", "edge.site.com", plain, ""},
		{"Edge.Site.Com:443", "edge.site.com", plain, ""},
		{"edge.site.com:8443", "edge.site.com:8443", plain, ""},
		{"localhost:8443", "localhost:8443", plain, ""},
		{"192.0.2.1:443", "192.0.2.1", plain, ""},
		{"[2001:db8::1]:8443", "[2001:db8::1]:8443", plain, ""},
		{"2001:db8::1", "2001:db8::1", plain, ""},
		{"", "", plain, api.CodeInvalid},
		{"edge:0", "", plain, api.CodeInvalid},
		{"edge:99999", "", plain, api.CodeInvalid},
		{"https://edge.site.com", "", plain, api.CodeInvalid},
		{"169.254.169.254", "", plain, api.CodePermission},
		{"169.254.169.254:80", "", plain, api.CodePermission},
		{"[::ffff:169.254.169.254]:80", "", plain, api.CodePermission},
		{"169.254.169.254", "169.254.169.254", admin, ""},
		{"0.0.0.0:80", "", admin, api.CodeInvalid},
	} {
		got, p := EdgeName(tt.in, tt.who)
		if got != tt.want || codeOf(p) != tt.code {
			t.Errorf("%q: %q, %v; want %q %q", tt.in, got, p, tt.want, tt.code)
		}
	}
	if host, port := SplitEdge("edge.site.com"); host != "edge.site.com" || port != 443 {
		t.Errorf("%s %d", host, port)
	}
	if host, port := SplitEdge("[2001:db8::1]:8443"); host != "2001:db8::1" || port != 8443 {
		t.Errorf("%s %d", host, port)
	}
}

func TestEdgeAddress(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]api.Code{
		"": "", "192.0.2.7:443": "", "127.0.0.1:8443": "", "[::1]:1": "",
		"192.0.2.7": api.CodeInvalid, "edge:443": api.CodeInvalid, "192.0.2.7:0": api.CodeInvalid, "0.0.0.0:1": api.CodeInvalid, "224.0.0.1:1": api.CodeInvalid,
		"169.254.169.254:80": api.CodePermission, "[fe80::1]:80": api.CodePermission,
	} {
		if p := EdgeAddress(in, plain); codeOf(p) != want {
			t.Errorf("%q: %v, want %q", in, p, want)
		}
	}
}

func TestCAPEM(t *testing.T) {
	t.Parallel()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	for name, tt := range map[string]struct {
		in   string
		want api.Code
	}{
		"none":    {"", ""},
		"one":     {block("CERTIFICATE", der), ""},
		"two":     {block("CERTIFICATE", der) + block("CERTIFICATE", der), ""},
		"no PEM":  {"edge.site.com", api.CodeInvalid},
		"a key":   {block("PRIVATE KEY", der), api.CodeInvalid},
		"garbage": {block("CERTIFICATE", []byte("x")), api.CodeInvalid},
	} {
		if p := CAPEM(tt.in); codeOf(p) != tt.want {
			t.Errorf("%s: %v, want %q", name, p, tt.want)
		}
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		listen       string
		plain, admin api.Code
	}{
		{"localhost:9210", "", ""},
		{"127.0.0.1:9210", "", ""},
		{"127.9.9.9:9210", "", ""},
		{"[::1]:9210", "", ""},
		{"localhost:1023", api.CodePermission, ""},
		{"127.0.0.1:22", api.CodePermission, ""},
		{"0.0.0.0:9210", api.CodePermission, ""},
		{"[::]:9210", api.CodePermission, ""},
		{":9210", api.CodePermission, ""},
		{"192.0.2.1:9210", api.CodePermission, ""},
		{"somehost:9210", "", ""},
		{"localhost:0", api.CodeInvalid, api.CodeInvalid},
		{"localhost:70000", api.CodeInvalid, api.CodeInvalid},
		{"localhost", api.CodeInvalid, api.CodeInvalid},
		{"unix:/tmp/a\nb", api.CodeInvalid, api.CodeInvalid},
		{"unix:/tmp/\x1b[2J", api.CodeInvalid, api.CodeInvalid},
		{"unix:/tmp/\u202egnp", api.CodeInvalid, api.CodeInvalid},
		{"unix:/tmp/\xff", api.CodeInvalid, api.CodeInvalid},
		{"unix:relative", api.CodeInvalid, api.CodeInvalid},
		{"unix:/tmp/../etc/x", api.CodeInvalid, api.CodeInvalid},
		{"unix:/etc/x", api.CodePermission, ""},
		{"unix:/dev/x", api.CodePermission, ""},
		{"unix:/nowhere/x", api.CodePermission, ""},
		{"unix:/tmp/x", api.CodePermission, ""},
	} {
		if p := Listen(tt.listen, plain); codeOf(p) != tt.plain {
			t.Errorf("plain user, %s: %v, want %q", tt.listen, p, tt.plain)
		}
		if p := Listen(tt.listen, admin); codeOf(p) != tt.admin {
			t.Errorf("administrator, %s: %v, want %q", tt.listen, p, tt.admin)
		}
	}
}

func TestUnixListenInOwnDirectory(t *testing.T) {
	t.Parallel()
	own := ipc.Identity{UID: strconv.Itoa(os.Geteuid())}
	other := ipc.Identity{UID: "12345"}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir, link, open := filepath.Join(base, "d"), filepath.Join(base, "l"), filepath.Join(base, "o")
	for _, err := range []error{os.Mkdir(dir, 0o755), os.Symlink(dir, link), os.Mkdir(open, 0o755), os.Chmod(open, 0o777), os.WriteFile(filepath.Join(base, "f"), nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, tt := range map[string]struct {
		dir  string
		who  ipc.Identity
		want api.Code
	}{
		"own":                {dir, own, ""},
		"another user's":     {dir, other, api.CodePermission},
		"by a link":          {link, own, api.CodePermission},
		"writable by others": {open, own, api.CodePermission},
		"a file":             {filepath.Join(base, "f"), own, api.CodePermission},
		"missing":            {filepath.Join(base, "m"), own, api.CodePermission},
	} {
		if p := Listen("unix:"+filepath.Join(tt.dir, "s"), tt.who); codeOf(p) != tt.want {
			t.Errorf("%s: %v, want %q", name, p, tt.want)
		}
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"tcp://localhost:7870": "tcp://localhost:7870", "tcp://[::1]:5432": "tcp://[::1]:5432", "tcp://10.0.0.1:22/": "tcp://10.0.0.1:22",
		"unix:/run/x.sock": "unix:/run/x.sock", "unix:///run/x.sock": "unix:/run/x.sock",
		"localhost:7870": "", "tcp://localhost": "", "tcp://localhost:0": "", "http://localhost:80": "", "tcp://a@b:1": "", "tcp://a:1/x": "", "tcp://a:1?x": "",
		"unix:/a\nb": "", "unix:/\u009b": "", "unix:x": "", "": "", "tcp://:80": "",
	} {
		got, p := Origin(in)
		if got != want || (want == "") != (codeOf(p) == api.CodeInvalid) {
			t.Errorf("%q: %q, %v; want %q", in, got, p, want)
		}
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	loopback := api.LoginInput{Mode: api.ModeLoopback, LoopbackPort: 40000, LoopbackPath: "/abc-1"}
	with := func(f func(*api.LoginInput)) api.LoginInput { in := loopback; f(&in); return in }
	for name, tt := range map[string]struct {
		in   api.LoginInput
		who  ipc.Identity
		want api.Code
	}{
		"loopback":            {loopback, plain, ""},
		"code":                {api.LoginInput{Mode: api.ModeCode}, plain, ""},
		"no mode":             {api.LoginInput{}, plain, api.CodeInvalid},
		"no port":             {with(func(in *api.LoginInput) { in.LoopbackPort = 0 }), plain, api.CodeInvalid},
		"low port":            {with(func(in *api.LoginInput) { in.LoopbackPort = 80 }), plain, api.CodeInvalid},
		"no path":             {with(func(in *api.LoginInput) { in.LoopbackPath = "" }), plain, api.CodeInvalid},
		"path with a query":   {with(func(in *api.LoginInput) { in.LoopbackPath = "/x?y" }), plain, api.CodeInvalid},
		"code with a port":    {with(func(in *api.LoginInput) { in.Mode = api.ModeCode }), plain, api.CodeInvalid},
		"enrol":               {with(func(in *api.LoginInput) { in.Purpose = api.PurposeEnrol }), admin, ""},
		"enrol, a plain user": {with(func(in *api.LoginInput) { in.Purpose = api.PurposeEnrol }), plain, api.CodePermission},
		"other purpose":       {with(func(in *api.LoginInput) { in.Purpose = "x" }), admin, api.CodeInvalid},
	} {
		if _, p := Login(tt.in, tt.who); codeOf(p) != tt.want {
			t.Errorf("%s: %v, want %q", name, p, tt.want)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("edge.site.com:8443")
	f.Add("[::1]:9")
	f.Add("unix:/a/b")
	f.Fuzz(func(t *testing.T, s string) {
		if name, p := EdgeName(s, plain); p == nil {
			if again, p := EdgeName(name, plain); p != nil || again != name {
				t.Fatalf("%q became %q, and that %q, %v", s, name, again, p)
			}
		}
		if name, p := Hostname(s); p == nil {
			if again, p := Hostname(name); p != nil || again != name {
				t.Fatalf("%q became %q, and that %q, %v", s, name, again, p)
			}
		}
		if o, p := Origin(s); p == nil {
			if again, p := Origin(o); p != nil || again != o {
				t.Fatalf("%q became %q, and that %q, %v", s, o, again, p)
			}
		}
		Listen(s, ipc.Identity{UID: "none"})
	})
}
