//go:build linux

package portal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

const (
	established = "HTTP/1.1 200 Connection established\r\n\r\n"
	page        = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 33\r\n\r\n<html>Welcome to the hotel</html>\n"
	// maxAsked bounds the header of a CONNECT.
	maxAsked = 16 << 10
)

// Pass leads to an address, as an honest middle does.
func Pass(to string) Trick {
	return func(ctx context.Context, c *Conn) {
		up, err := new(net.Dialer).DialContext(ctx, "tcp", to)
		if err != nil {
			return
		}
		defer up.Close()
		var wg sync.WaitGroup
		wg.Go(func() { io.Copy(up, c); up.Close() })
		io.Copy(c, up)
		c.tcp.Close()
		wg.Wait()
	}
}

// Connect is a proxy that gives the way, to where next stands.
func Connect(next Trick) Trick {
	return func(ctx context.Context, c *Conn) {
		if asked(c) && say(c, established) {
			next(ctx, c)
		}
	}
}

// Answer is a proxy that says something else, and waits.
func Answer(text string) Trick {
	return func(ctx context.Context, c *Conn) {
		if asked(c) && say(c, text) {
			Silence(ctx, c)
		}
	}
}

// Page is a proxy that answers with a page.
func Page() Trick { return Answer(page) }

// Silence listens and says nothing.
func Silence(_ context.Context, c *Conn) { io.Copy(io.Discard, c) }

// EndlessHeader is a proxy whose answer does not come to an end.
func EndlessHeader(_ context.Context, c *Conn) {
	if !asked(c) || !say(c, "HTTP/1.1 200 OK\r\n") {
		return
	}
	for line := "X-More: " + strings.Repeat("a", 1000) + "\r\n"; say(c, line); {
	}
}

// Drip is a proxy that answers a byte at a time.
func Drip(_ context.Context, c *Conn) {
	if !asked(c) {
		return
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for b := range strings.SplitSeq(established[:len(established)-4]+"\r\nX-Slow: "+strings.Repeat("a", maxAsked), "") {
		<-tick.C
		if !say(c, b) {
			return
		}
	}
}

// ResetHello resets a connection when the ClientHello of TLS was seen.
func ResetHello(_ context.Context, c *Conn) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c, head); err != nil {
		return
	}
	io.CopyN(io.Discard, c, int64(head[3])<<8|int64(head[4]))
	c.tcp.SetLinger(0)
}

// EndTLS ends TLS, as whoever the config is for, before next.
func EndTLS(config *tls.Config, next Trick) Trick {
	config = config.Clone()
	if config.ClientAuth == tls.NoClientCert {
		config.ClientAuth = tls.RequestClientCert
	}
	return func(ctx context.Context, c *Conn) {
		conn := tls.Server(c, config)
		err := conn.HandshakeContext(ctx)
		c.note(func(h *Heard) { h.Devices += len(conn.ConnectionState().PeerCertificates) })
		if err == nil {
			next(ctx, c.inside(conn))
		}
	}
}

// Web answers requests with a page that has a Date, "" for today's.
func Web(date string) Trick {
	if date == "" {
		date = time.Now().UTC().Format(http.TimeFormat)
	}
	return func(_ context.Context, c *Conn) {
		for r := bufio.NewReader(c); ; {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			if !say(c, strings.Replace(page, "\r\n", "\r\nDate: "+date+"\r\n", 1)) {
				return
			}
		}
	}
}

// Hello is the edge itself, for as long as it takes to be told a session token,
// which it gives away.
func Hello(config *tls.Config, token chan<- string) Trick {
	return EndTLS(config, func(ctx context.Context, c *Conn) {
		l := &speak.Link{Conn: c}
		m, err := l.AwaitKind(speak.KindHello, 10*time.Second)
		if err != nil {
			return
		}
		select {
		case token <- m.Get("session_token"):
		case <-ctx.Done():
		}
	})
}

// asked reads the request of a proxy's user. Of a CONNECT the credentials are
// kept apart: they are for the proxy.
func asked(c *Conn) bool {
	var header []byte
	for one := make([]byte, 1); !bytes.HasSuffix(header, []byte("\r\n\r\n")); {
		if _, err := c.Conn.Read(one); err != nil || len(header) == maxAsked {
			return false
		}
		header = append(header, one[0])
	}
	connect := bytes.HasPrefix(header, []byte("CONNECT "))
	c.note(func(h *Heard) {
		for line := range strings.Lines(string(header)) {
			if value, ok := strings.CutPrefix(line, "Proxy-Authorization: "); ok && connect {
				h.Shown = strings.TrimSpace(value)
				continue
			}
			h.Bytes = append(h.Bytes, line...)
		}
	})
	return true
}

func say(c *Conn, text string) bool {
	_, err := fmt.Fprint(c, text)
	return err == nil
}
