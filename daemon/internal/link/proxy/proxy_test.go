package proxy

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const password = "canary-password"

// listen serves connections on loopback until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { // ends with the test's connections
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

// says answers the first request with text and waits for the end.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}
}

func dial(t *testing.T, setting string, wait time.Duration) (net.Conn, error) {
	t.Helper()
	u, err := Parse(setting)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	return Dial(ctx, u, "edge.site.com:443", nil, func(ctx context.Context, address string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	})
}

// Every way in which a proxy is the broken hop has its kind, in time, and no
// password is in what is said of it.
func TestHostileProxies(t *testing.T) {
	t.Parallel()
	const short, long = 200 * time.Millisecond, 10 * time.Second
	drip := func(c net.Conn) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for _, b := range []byte("HTTP/1.1 200 OK\r\nX-Slow: " + strings.Repeat("a", 4096)) {
			<-tick.C
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
		}
	}
	endless := func(c net.Conn) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for {
			if _, err := io.WriteString(c, "X-More: "+strings.Repeat("a", 1000)+"\r\n"); err != nil {
				return
			}
		}
	}
	socksSays := func(parts ...string) func(net.Conn) {
		return func(c net.Conn) {
			for _, p := range parts {
				if _, err := c.Read(make([]byte, 1024)); err != nil {
					return
				}
				io.WriteString(c, p)
			}
			io.Copy(io.Discard, c)
		}
	}
	for _, test := range []struct {
		name   string
		scheme string
		serve  func(net.Conn)
		kind   Kind
		said   string
		wait   time.Duration
	}{
		{"407", "http", says("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"), Credentials, "does not take", long},
		{"403", "http", says("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), Refused, "403", long},
		{"502", "http", says("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"), Refused, "502", long},
		{"302 to a portal", "http", says("HTTP/1.1 302 Found\r\nLocation: http://portal.test/\r\n\r\n"), Portal, "page", long},
		{"200 with HTML", "http", says("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"), Portal, "page", long},
		{"200 with something", "http", says("HTTP/1.1 200 OK\r\n\r\nhello"), Portal, "page", long},
		{"not HTTP", "http", says("SSH-2.0-x\r\n\r\n"), Nonsense, "", long},
		{"endless header", "http", endless, Nonsense, "", long},
		{"slow drip", "http", drip, Silent, "", short},
		{"silence", "http", func(c net.Conn) { io.Copy(io.Discard, c) }, Silent, "", short},
		{"closed", "http", func(net.Conn) {}, Nonsense, "", long},
		{"socks: not SOCKS", "socks5", socksSays("HT"), Nonsense, "", long},
		{"socks: no method", "socks5", socksSays("\x05\xff"), Credentials, "asks", long},
		{"socks: wrong password", "socks5", socksSays("\x05\x02", "\x01\x01"), Credentials, "does not take", long},
		{"socks: not allowed", "socks5", socksSays("\x05\x00", "\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00"), Refused, "rules", long},
		{"socks: silence", "socks5", func(c net.Conn) { io.Copy(io.Discard, c) }, Silent, "", short},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			at := listen(t, test.serve)
			_, err := dial(t, test.scheme+"://bob:"+password+"@"+at, test.wait)
			var e *Error
			if !errors.As(err, &e) || e.Kind != test.kind || !strings.Contains(e.Said, test.said) || e.Proxy != at {
				t.Fatalf("%v, want %s of %s", err, test.kind, at)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the password is in %q", err)
			}
		})
	}
	t.Run("nothing there", func(t *testing.T) {
		t.Parallel()
		_, err := dial(t, "http://127.0.0.1:1", long)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Unreachable {
			t.Errorf("%v", err)
		}
	})
}

// Both kinds of proxy lead to the edge's name, which they look up themselves, and
// get their credentials.
func TestWaysThrough(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 2)
	echo := func(c net.Conn) { io.Copy(c, c) }
	connectProxy := listen(t, func(c net.Conn) {
		req, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		asked <- req.Method + " " + req.Host + " " + req.Header.Get("Proxy-Authorization")
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		echo(c)
	})
	socksProxy := listen(t, func(c net.Conn) {
		b := make([]byte, 1024)
		n, _ := io.ReadFull(c, b[:4])
		said := string(b[:n])
		c.Write([]byte{5, 2})
		n, _ = io.ReadFull(c, b[:3+3+len(password)])
		said += string(b[:n])
		c.Write([]byte{1, 0})
		n, _ = io.ReadFull(c, b[:5+len("edge.site.com")+2])
		asked <- said + string(b[:n])
		c.Write([]byte("\x05\x00\x00\x03\x04host\x00\x50"))
		echo(c)
	})
	for _, test := range []struct{ setting, want string }{
		{"http://bob:" + password + "@" + connectProxy, "CONNECT edge.site.com:443 Basic " + base64.StdEncoding.EncodeToString([]byte("bob:"+password))},
		{connectProxy, "CONNECT edge.site.com:443 "},
		{"socks5://bob:" + password + "@" + socksProxy, "\x05\x02\x00\x02\x01\x03bob\x0f" + password + "\x05\x01\x00\x03\x0dedge.site.com\x01\xbb"},
	} {
		c, err := dial(t, test.setting, 10*time.Second)
		if err != nil {
			t.Fatalf("%s: %v", Redacted(test.setting), err)
		}
		if got := <-asked; got != test.want {
			t.Errorf("asked %q, want %q", got, test.want)
		}
		io.WriteString(c, "hello")
		got := make([]byte, 5)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
			t.Errorf("through the proxy: %q, %v", got, err)
		}
		c.Close()
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"proxy.site.com:3128":             "http://proxy.site.com:3128",
		"socks5://bob:secret@10.0.0.1":    "socks5://bob@10.0.0.1",
		"https://proxy.site.com/":         "https://proxy.site.com/",
		"direct":                          "direct",
		"":                                "",
		"ftp://proxy.site.com":            "error",
		"http://proxy.site.com/with/path": "error",
		"http://bob:se%zzcret@proxy:3128": "error",
		"http://":                         "error",
	} {
		u, err := Parse(setting)
		got := Redacted(setting)
		if err != nil {
			got = "error"
			if strings.Contains(err.Error(), "se%zzcret") {
				t.Errorf("the password is in %q", err)
			}
		}
		if got != want {
			t.Errorf("%q: %q (%v), want %q", setting, got, u, want)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, key := range []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy", "REQUEST_METHOD"} {
		t.Setenv(key, "")
	}
	for _, test := range []struct {
		name                   string
		https, all, no         string
		setting, host, address string
		want                   string
	}{
		{name: "nothing said", host: "edge.site.com"},
		{name: "HTTPS_PROXY", https: "http://p:1", all: "socks5://q:2", host: "edge.site.com", want: "http://p:1"},
		{name: "ALL_PROXY", all: "socks5://q:2", host: "edge.site.com", want: "socks5://q:2"},
		{name: "NO_PROXY", https: "http://p:1", no: ".site.com", host: "edge.site.com"},
		{name: "NO_PROXY of the address", https: "http://p:1", no: "10.0.0.0/8", host: "edge.site.com", address: "10.1.2.3:443"},
		{name: "loopback", https: "http://p:1", host: "edge.site.com", address: "127.0.0.1:8443"},
		{name: "the setting wins", https: "http://p:1", no: "*", setting: "socks5://q:2", host: "edge.site.com", want: "socks5://q:2"},
		{name: "no proxy by setting", https: "http://p:1", setting: Direct, host: "edge.site.com"},
		{name: "nonsense", https: "ftp://p:1", host: "edge.site.com", want: "error"},
	} {
		t.Setenv("HTTPS_PROXY", test.https)
		t.Setenv("ALL_PROXY", test.all)
		t.Setenv("NO_PROXY", test.no)
		u, err := Choose(test.setting, test.host, 443, test.address)
		got := ""
		if err != nil {
			got = "error"
		} else if u != nil {
			got = (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
