package browser

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	public := Edge{Name: "edge.site.com"}
	port := Edge{Name: "edge.site.com:8443"}
	local := Edge{Name: "localhost:8443"}
	routed := Edge{Name: "edge.site.com", Address: "127.0.0.1:8443"}
	tests := []struct {
		name, url string
		edge      Edge
		fault     string
	}{
		{"https on the edge", "https://edge.site.com/login/x", public, ""},
		{"case", "https://Edge.Site.Com/login/x", public, ""},
		{"explicit 443", "https://edge.site.com:443/login/x", public, ""},
		{"port", "https://edge.site.com:8443/login/x", port, ""},
		{"other port", "https://edge.site.com/login/x", port, "not on the edge"},
		{"other host", "https://evil.com/login/x", public, "not on the edge"},
		{"prefix", "https://edge.site.com.evil.com/", public, "not on the edge"},
		{"userinfo", "https://edge.site.com@evil.com/", public, "plain web address"},
		{"http on a public edge", "http://edge.site.com/", public, "not on this machine"},
		{"http localhost for a public edge", "http://localhost:443/", public, "not on this machine"},
		{"http localhost", "http://localhost:8443/login/x", local, ""},
		{"http 127.0.0.1", "http://127.0.0.1:8443/login/x", local, "not on localhost"},
		{"http localhost, other port", "http://localhost:9000/", local, "not on localhost:8443"},
		{"http localhost, address on loopback", "http://localhost:8443/", routed, ""},
		{"http localhost, the name's port", "http://localhost:8443/", Edge{Name: "localhost:8443", Address: "127.0.0.1:9000"}, ""},
		{"http localhost, the address's port", "http://localhost:9000/", Edge{Name: "localhost:8443", Address: "127.0.0.1:9000"}, ""},
		{"http localhost, neither port", "http://localhost:1/", Edge{Name: "localhost:8443", Address: "127.0.0.1:9000"}, "not on localhost:8443 or :9000"},
		{"http localhost, dialled elsewhere", "http://localhost:8443/", Edge{Name: "localhost:8443", Address: "192.0.2.1:8443"}, "not on this machine"},
		{"http localhost, port of a public name", "http://localhost:443/", routed, "not on localhost:8443"},
		{"loopback by IPv6", "http://localhost:1/", Edge{Name: "[::1]:1"}, ""},
		{"file", "file:///etc/passwd", public, "scheme"},
		{"script", "javascript:alert(1)", public, "plain web address"},
		{"option", "--version", public, "scheme"},
		{"control character", "https://edge.site.com/\n", public, "invalid control character"},
		{"long", "https://edge.site.com/" + strings.Repeat("x", 3000), public, "too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := Check(tt.url, tt.edge)
			if tt.fault == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("got %v, want %q", err, tt.fault)
			}
		})
	}
}

func TestAvailable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  map[string]string
		want bool
	}{
		{"ssh", map[string]string{"SSH_CONNECTION": "a", "DISPLAY": ":0"}, false},
		{"ssh with BROWSER", map[string]string{"SSH_TTY": "/dev/pts/0", "BROWSER": "x"}, false},
		{"BROWSER", map[string]string{"BROWSER": "x"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, reason := available(func(k string) string { return tt.env[k] })
			if got != tt.want || got == (reason != "") {
				t.Errorf("got %v %q, want %v", got, reason, tt.want)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	spaced := filepath.Join(t.TempDir(), "my browser")
	if err := os.WriteFile(spaced, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		entry string
		want  []string
	}{
		{"firefox", []string{"firefox", "U"}},
		{"firefox --new-window", []string{"firefox", "--new-window", "U"}},
		{"open -a X %s -n", []string{"open", "-a", "X", "U", "-n"}},
		{"x --url=%s", []string{"x", "--url=U"}},
		{spaced, []string{spaced, "U"}},
		{" ", nil},
	}
	for _, tt := range tests {
		if got := command(tt.entry, "U"); !slices.Equal(got, tt.want) {
			t.Errorf("%q: got %q, want %q", tt.entry, got, tt.want)
		}
	}
}

func TestOpenUsesBROWSER(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "url")
	script := filepath.Join(dir, "browser.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nprintf %s \"$1\" > "+out+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BROWSER", filepath.Join(dir, "missing")+string(os.PathListSeparator)+script)
	url := "https://edge.site.com/login/x?a=$(id)"
	if err := Open(t.Context(), url, Edge{Name: "edge.site.com"}); err != nil {
		t.Skipf("no shell to run %s: %v", script, err)
	}
	got, err := os.ReadFile(out)
	if err != nil || string(got) != url {
		t.Errorf("the command got %q (%v), want %q", got, err, url)
	}
	if err := Open(t.Context(), "https://evil.com/", Edge{Name: "edge.site.com"}); err == nil {
		t.Error("a foreign URL was opened")
	}
}

func TestOpenTellsFailure(t *testing.T) {
	t.Setenv("BROWSER", filepath.Join(t.TempDir(), "missing"))
	if err := Open(t.Context(), "https://edge.site.com/", Edge{Name: "edge.site.com"}); err == nil {
		t.Error("no error from a browser that is not there")
	}
	t.Setenv("BROWSER", " ")
	if err := Open(t.Context(), "https://edge.site.com/", Edge{Name: "edge.site.com"}); err == nil {
		t.Error("no error from an empty BROWSER")
	}
}

func TestPortal(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"edge.site.com": "https://edge.site.com/", "edge.site.com:8443": "https://edge.site.com:8443/",
		"localhost:8443": "http://localhost:8443/", "127.0.0.1:80": "http://localhost/",
	} {
		e := Edge{Name: name}
		if got := Portal(e); got != want || Check(got, e) != nil {
			t.Errorf("%s: %s (%v), want %s", name, got, Check(got, e), want)
		}
	}
}

func TestOpenOwnRefuses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://localhost:1/x", "https://127.0.0.1:1/x", "http://127.0.0.1/x", "http://127.0.0.1:1@evil.com/", "file:///x", "--version"} {
		if err := OpenOwn(t.Context(), url); err == nil {
			t.Errorf("%s was opened", url)
		}
	}
}
