package input

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs("x.sock")
	if err != nil {
		t.Fatal(err)
	}
	const wrong = "!"
	tests := []struct {
		name  string
		take  func(string) (string, error)
		cases map[string]string
	}{
		{"hostname", Hostname, map[string]string{
			"tcp.site.com": "tcp.site.com", "TCP.Site.Com.": "tcp.site.com", "https://tcp.site.com/": "tcp.site.com", " a ": "a",
			"": wrong, "https://": wrong, "a:1": wrong, "a/b": wrong, "a@b": wrong, "a b": wrong,
		}},
		{"listen", Listen, map[string]string{
			"localhost:9210": "localhost:9210", "9210": "localhost:9210", ":9210": "localhost:9210", "tcp://Localhost:9210/": "localhost:9210",
			"127.0.0.1:1": "127.0.0.1:1", "[::1]:1": "[::1]:1", "unix:/a/b": "unix:/a/b", "unix:x.sock": "unix:" + here, "unix:///a": "unix:/a",
			"": wrong, "0": wrong, "70000": wrong, "localhost": wrong, "localhost:": wrong, "a:b:c": wrong, "unix:": wrong, "localhost:-1": wrong,
		}},
		{"origin", Origin, map[string]string{
			"tcp://localhost:7870": "tcp://localhost:7870", "localhost:7870": "tcp://localhost:7870", "7870": "tcp://localhost:7870", ":7870": "tcp://localhost:7870",
			"ssh://localhost": "tcp://localhost:22", "ssh://Host:2222/": "tcp://host:2222", "http://[::1]": "tcp://[::1]:80", "rdp://h": "tcp://h:3389",
			"unix:/run/x": "unix:/run/x", "tcp://10.0.0.1:5432": "tcp://10.0.0.1:5432",
			"": wrong, "tcp://localhost": wrong, "gopher://x:1": wrong, "localhost": wrong, "tcp://a/b:1": wrong, "tcp://h:0": wrong,
		}},
		{"edge", Edge, map[string]string{
			"edge.site.com": "edge.site.com", "Edge.Site.Com:8443": "edge.site.com:8443", "https://edge.site.com/": "edge.site.com", "e:443": "e",
			"127.0.0.1": "127.0.0.1", "[::1]:443": "[::1]", "::1": "[::1]", "[::1]:8443": "[::1]:8443",
			"": wrong, "/x": wrong, "e:0": wrong, "e:x": wrong, "a b": wrong, "a:1:2": wrong, "http://e": wrong,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for in, want := range tt.cases {
				got, err := tt.take(in)
				if (err != nil) != (want == wrong) || err == nil && got != want {
					t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
				}
				if err == nil {
					if again, err := tt.take(got); err != nil || again != got {
						t.Errorf("%q is not stable: %q, %v", got, again, err)
					}
				}
			}
		})
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"localhost:9210", "tcp://[::1]:1", "unix:x", "https://a/", "::", "ssh://"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, take := range map[string]func(string) (string, error){"hostname": Hostname, "edge": Edge, "listen": Listen, "origin": Origin} {
			got, err := take(s)
			if err == nil && got == "" {
				t.Errorf("%s of %q is empty", name, s)
			}
			if err != nil && strings.TrimSpace(err.Error()) == "" {
				t.Errorf("%s of %q: no sentence", name, s)
			}
		}
	})
}
