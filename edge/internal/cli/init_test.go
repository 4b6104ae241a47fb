package cli

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/certs"
	"github.com/sallyport/sallyport/edge/internal/cli/scaffold"
	"github.com/sallyport/sallyport/edge/internal/config"
)

func TestInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"init", "--name", "Edge.site.com", "--site", "site.com", "--site", "other.org", "--listen", "127.0.0.1:9443", "--dir", dir}
	r := run(t, "", args...)
	ca := filepath.Join(dir, "state", "ca", "ca.pem")
	for _, want := range []string{"sallyport-edge serve --config " + filepath.Join(dir, "edge.yaml"), "app add tcp.site.com --allow domain:site.com", "sallyport edge use edge.site.com:9443 --ca " + ca} {
		if r.code != 0 || !strings.Contains(r.out, want) {
			t.Fatalf("code %d, no %q in\n%s%s", r.code, want, r.out, r.err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "edge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "edge.site.com" || len(c.Sites) != 2 || c.State != filepath.Join(dir, "state") {
		t.Fatalf("config %+v", c)
	}
	if _, err := certs.Open(c, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{c.State: 0o700, filepath.Join(dir, "edge.yaml"): 0o600, filepath.Join(c.CADir(), "ca.key"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want %v", path, info.Mode(), err, mode)
		}
	}
	before, _ := os.ReadFile(ca)
	if r := run(t, "", args...); r.code != exitFailed || !strings.Contains(r.err, "edge.yaml is there already") || !strings.Contains(r.err, "--force") {
		t.Fatalf("second init %+v", r)
	}
	os.Remove(filepath.Join(dir, "edge.yaml"))
	if r := run(t, "", args...); r.code != exitFailed || !strings.Contains(r.err, "ca.pem is there already") {
		t.Fatalf("init over a CA %+v", r)
	}
	if after, _ := os.ReadFile(ca); string(after) != string(before) {
		t.Fatal("the CA was replaced")
	}
	if r := run(t, "", append(args, "--force")...); r.code != 0 {
		t.Fatalf("init --force %+v", r)
	}
	if after, _ := os.ReadFile(ca); string(after) == string(before) {
		t.Fatal("--force kept the CA")
	}
}

func TestInitWithCertificateFiles(t *testing.T) {
	t.Parallel()
	// A certificate of a private CA serves as one from elsewhere.
	other := &config.Config{Name: "edge.site.com", Listen: ":1", State: t.TempDir()}
	if err := certs.MakeCA(other.CADir(), other.Name, nil, false); err != nil {
		t.Fatal(err)
	}
	loaded, err := certs.Open(other, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := loaded.Get(nil)
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "edge.crt"), filepath.Join(t.TempDir(), "edge.key")
	for path, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"init", "--site", "site.com", "--dir", dir, "--cert", certFile, "--key", keyFile}
	if r := run(t, "", append(args, "--name", "www.site.com")...); r.code != exitFailed || !strings.Contains(r.err, "not for www.site.com") {
		t.Fatalf("certificate of another name %+v", r)
	}
	if r := run(t, "", append(args[:len(args)-2:len(args)-2], "--name", "edge.site.com")...); r.code != exitUsage {
		t.Fatalf("certificate without key %+v", r)
	}
	var res scaffold.Result
	r := run(t, "", append(args, "--name", "edge.site.com", "--json")...)
	if json.Unmarshal([]byte(r.out), &res) != nil || res.CA != "" || res.URL != "https://edge.site.com:8443" {
		t.Fatalf("init %+v", r)
	}
	c, err := config.Load(res.Config)
	if err != nil || c.TLS.Cert != certFile || c.TLS.Key != keyFile {
		t.Fatalf("config %+v, %v", c, err)
	}
	text, _ := os.ReadFile(res.Config)
	if !strings.Contains(string(text), "\n  cert: \"edge.crt\"\n") { // beside the file: the folder may be moved
		t.Errorf("the path in the file is not relative:\n%s", text)
	}
	if _, err := os.Stat(c.CADir()); !os.IsNotExist(err) {
		t.Errorf("a private CA was made too: %v", err)
	}
}

func TestInitRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"", "give the edge's name"},
		{"--name edge.site.com", "at least one site"},
		{"--name edge.site.com:443 --site site.com", "is not a hostname"},
		{"--name edge.site.com --site *.site.com", "is not a hostname"},
		{"--name edge.site.com --site site.com --site site.com", "is the same as"},
		{"--name edge.site.com --site site.com --listen 8443", "has no port"},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		r := run(t, "", append([]string{"init", "--dir", dir}, strings.Fields(c.args)...)...)
		if r.code != exitUsage || !strings.Contains(r.err, c.want) {
			t.Errorf("%s: %+v", c.args, r)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s: something was written", c.args)
		}
	}
}
