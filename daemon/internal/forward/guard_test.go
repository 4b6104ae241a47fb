package forward

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
)

func TestVerdictOfFirstBytes(t *testing.T) {
	t.Parallel()
	for first, want := range map[string]verdict{
		"": undecided, "G": undecided, "GET": undecided, "GET ": undecided, "GET h": undecided, "OPTION": undecided,
		"GET / HTTP/1.1\r\n": browser, "POST /x": browser, "HEAD /": browser, "OPTIONS *": browser, "GET HTTP://a/": browser, "CONNECT a:1": browser, "PRI * HTTP/2.0": browser,
		"GET key\r\n": plain, "a /x": browser, "QUERY / HTTP/1.1\r\n": browser, "x: /": plain, "hello": plain, "SSH-2.0-x": plain, "\x00\x00\x00\x08\x04\xd2\x16\x2f": plain, "\x16\x03\x01": plain, "EHLO x": plain,
	} {
		if got := verdictOf([]byte(first)); got != want {
			t.Errorf("%q: %s, want %s", first, got, want)
		}
	}
}

// TestBrowserIsRefused: not a byte of a browser's goes on, however it comes.
func TestBrowserIsRefused(t *testing.T) {
	t.Parallel()
	tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", freePort(t)), Opener: newOpener(t)})
	tf.ready()
	for _, parts := range [][]string{{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"}, {"PO", "ST", " ", "/x HTTP/1.1\r\n\r\n"}} {
		c := dial(t, "tcp", tf.cfg.Listen)
		for _, p := range parts {
			if _, err := io.WriteString(c, p); err != nil {
				t.Error(err)
			}
			if len(parts) > 1 {
				tf.until("the stream", func(s Snapshot) bool { return s.Connections > 0 })
			}
		}
		isReset(t, c)
	}
	s := tf.until("the refusals", func(s Snapshot) bool { return s.Connections == 0 && s.LastError != nil })
	if s.BytesToOrigin != 0 || s.LastError.Code != api.CodePermission || !strings.Contains(s.LastError.Hint, "--http") {
		t.Errorf("%+v, %+v", s, s.LastError)
	}
	// What is no browser passes, in pieces too.
	c := dial(t, "tcp", tf.cfg.Listen)
	for _, p := range []string{"G", "ET ", "key"} {
		if _, err := io.WriteString(c, p); err != nil {
			t.Error(err)
		}
	}
	c.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "GET key" || err != nil {
		t.Errorf("echo %q, %v", got, err)
	}
}

const head = "Host: localhost:9210\r\n"

// TestRequestsOfPages: which requests an http forward lets pass.
func TestRequestsOfPages(t *testing.T) {
	t.Parallel()
	tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", freePort(t)), Opener: newOpener(t), HTTP: true})
	tf.ready()
	for name, c := range map[string]struct {
		request string
		passes  bool
	}{
		"a program's":            {"GET / HTTP/1.1\r\n" + head + "\r\n", true},
		"by address":             {"GET / HTTP/1.1\r\nHost: 127.0.0.1:9210\r\n\r\n", true},
		"by IPv6":                {"GET / HTTP/1.1\r\nHost: [::1]:9210\r\n\r\n", true},
		"by its hostname":        {"GET / HTTP/1.1\r\nHost: " + strings.ToUpper(tf.cfg.Hostname) + "\r\n\r\n", true},
		"its own page's":         {"POST / HTTP/1.1\r\n" + head + "Origin: http://localhost:9210\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 2\r\n\r\nhi", true},
		"chunked":                {"POST / HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: v\r\n\r\n", true},
		"a link":                 {"GET / HTTP/1.1\r\n" + head + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n", true},
		"a rebound name":         {"GET / HTTP/1.1\r\nHost: evil.example:9210\r\n\r\n", false},
		"without Host":           {"GET / HTTP/1.0\r\n\r\n", false},
		"another page's":         {"POST / HTTP/1.1\r\n" + head + "Origin: https://evil.example\r\nContent-Length: 0\r\n\r\n", false},
		"another port's":         {"POST / HTTP/1.1\r\n" + head + "Origin: http://localhost:3000\r\n\r\n", false},
		"of nowhere":             {"POST / HTTP/1.1\r\n" + head + "Origin: null\r\n\r\n", false},
		"an image":               {"GET /x HTTP/1.1\r\n" + head + "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\n\r\n", false},
		"a form's":               {"POST / HTTP/1.1\r\n" + head + "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n\r\n", false},
		"two lengths":            {"POST / HTTP/1.1\r\n" + head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", false},
		"not HTTP":               {"\x16\x03\x01 x\r\n\r\n", true},
		"nearly HTTP":            {"GET /\r\n\r\n", false},
		"a head without an end":  {"GET / HTTP/1.1\r\n" + head + strings.Repeat("A: "+strings.Repeat("x", 1000)+"\r\n", 70), false},
		"a websocket of another": {"GET / HTTP/1.1\r\n" + head + "Origin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, "tcp", tf.cfg.Listen)
			go func() { // ends with the connection
				io.WriteString(conn, c.request)
				conn.(*net.TCPConn).CloseWrite()
			}()
			conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			got, err := io.ReadAll(conn)
			switch {
			case c.passes && (err != nil || string(got) != c.request):
				t.Errorf("echo %q, %v", got, err)
			case !c.passes && (err == nil || len(got) > 0):
				t.Errorf("passed: %q, %v", got, err)
			}
		})
	}
}

// TestLaterRequestIsJudged: a browser sends the requests of several pages on one
// connection; the second is looked at as the first.
func TestLaterRequestIsJudged(t *testing.T) {
	t.Parallel()
	tf := start(t, Config{Listen: fmt.Sprintf("127.0.0.1:%d", freePort(t)), Opener: newOpener(t), HTTP: true})
	tf.ready()
	c := dial(t, "tcp", tf.cfg.Listen)
	good := "POST /1 HTTP/1.1\r\n" + head + "Content-Length: 5\r\n\r\nhello"
	io.WriteString(c, good)
	buf := make([]byte, len(good))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != good {
		t.Fatalf("echo %q, %v", buf, err)
	}
	io.WriteString(c, "POST /2 HTTP/1.1\r\n"+head+"Origin: https://evil.example\r\n\r\n")
	isReset(t, c)
	// After an upgrade it is no longer HTTP.
	c = dial(t, "tcp", tf.cfg.Listen)
	up := "GET / HTTP/1.1\r\n" + head + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	io.WriteString(c, up+"\x81\x05")
	buf = make([]byte, len(up)+2)
	if _, err := io.ReadFull(c, buf); err != nil {
		t.Fatal(err)
	}
	echo(t, c)
}

func FuzzVerdict(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		// What a server would take for a request is never plain.
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(string(b))))
		if err != nil || verdictOf(b) != plain {
			return
		}
		for _, m := range methods {
			if req.Method == m && strings.HasPrefix(req.RequestURI, "/") && b[0] == m[0] {
				t.Errorf("%q is taken for plain", b)
			}
		}
	})
}
