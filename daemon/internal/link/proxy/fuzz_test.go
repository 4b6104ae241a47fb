package proxy

import (
	"bytes"
	"net"
	"net/url"
	"testing"
)

// script is a proxy that answers with what it has, and takes everything.
type script struct {
	net.Conn
	answer *bytes.Reader
}

func (s script) Read(b []byte) (int, error)  { return s.answer.Read(b) }
func (s script) Write(b []byte) (int, error) { return len(b), nil }

// Whatever a proxy answers, asking it ends, and no more of it is taken than an
// answer may have.
func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 407 No\r\nProxy-Authenticate: Basic\r\n\r\n", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>", "\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50", "\x05\x02\x01\x00\x05\x00\x00\x03\x01a\x00\x50",
		"\x05\x00\x05\x05\x00\x01", "\x05\xff", "\x04",
	} {
		f.Add([]byte(s))
	}
	user := url.UserPassword("alice", "secret")
	f.Fuzz(func(t *testing.T, answer []byte) {
		for name, ask := range map[string]func(net.Conn, *url.Userinfo, string) error{"connect": connect, "socks": socks} {
			for _, u := range []*url.Userinfo{nil, user} {
				s := script{answer: bytes.NewReader(answer)}
				err := ask(s, u, "edge.site.com:443")
				taken := answer[:len(answer)-s.answer.Len()]
				switch {
				case len(taken) > maxHeader:
					t.Fatalf("%s took %d bytes", name, len(taken))
				case err == nil && name == "connect" && !bytes.HasSuffix(taken, []byte("\n")):
					t.Fatalf("connect took %q for an answer", taken)
				case err == nil && name == "socks" && !bytes.HasPrefix(taken, []byte{socksVersion}):
					t.Fatalf("socks took %q for an answer", taken)
				}
			}
		}
	})
}
