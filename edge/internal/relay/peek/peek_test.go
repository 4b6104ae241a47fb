package peek

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// fake reads from a buffer and fails the test when anything is written.
type fake struct {
	net.Conn
	r       io.Reader
	written *int
}

func (f fake) Read(p []byte) (int, error)       { return f.r.Read(p) }
func (f fake) Write(p []byte) (int, error)      { *f.written += len(p); return len(p), nil }
func (f fake) Close() error                     { return nil }
func (f fake) SetDeadline(time.Time) error      { return nil }
func (f fake) SetReadDeadline(time.Time) error  { return nil }
func (f fake) SetWriteDeadline(time.Time) error { return nil }

// capture is what a tls.Client writes first.
type capture struct {
	fake
	buf *bytes.Buffer
}

func (c capture) Write(p []byte) (int, error) { c.buf.Write(p); return len(p), nil }
func (c capture) Read([]byte) (int, error)    { return 0, io.EOF }

func clientHello(tb testing.TB, cfg *tls.Config) []byte {
	tb.Helper()
	var buf bytes.Buffer
	if err := tls.Client(capture{buf: &buf}, cfg).Handshake(); err == nil {
		tb.Fatal("handshake without a server succeeded")
	}
	return buf.Bytes()
}

func TestNew(t *testing.T) {
	t.Parallel()
	label := wire.NewLabel().ServerName("edge.site.com")
	hello := clientHello(t, &tls.Config{ServerName: label, NextProtos: []string{wire.ALPNTrunk}})
	tests := []struct {
		name   string
		in     []byte
		sni    string
		alpn   []string
		plain  bool
		single bool
		fails  bool
	}{
		{name: "ticket", in: hello, sni: label, alpn: []string{wire.ALPNTrunk}, single: true},
		{name: "with surplus", in: append(slices.Clone(hello), "surplus"...), sni: label, alpn: []string{wire.ALPNTrunk}},
		{name: "no name", in: clientHello(t, &tls.Config{InsecureSkipVerify: true}), single: true},
		{name: "plain http", in: []byte("GET / HTTP/1.1\r\n\r\n"), plain: true},
		{name: "nothing", fails: true},
		{name: "half a hello", in: hello[:len(hello)/2], fails: true},
		{name: "not a hello", in: append([]byte{0x16, 3, 1, 0, 4}, 2, 0, 0, 0), fails: true},
		{name: "endless record", in: append([]byte{0x16, 3, 1, 0xff, 0xff}, make([]byte, 1<<17)...), fails: true},
		{name: "endless hello", in: bytes.Repeat(append([]byte{0x16, 3, 1, 1, 0, 1, 0, 0xff, 0xff}, make([]byte, 252)...), 200), fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			written := 0
			c, err := New(fake{r: bytes.NewReader(tt.in), written: &written})
			if written != 0 {
				t.Errorf("%d bytes written to the peer", written)
			}
			if tt.fails {
				if err == nil {
					t.Fatal("no error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Hello.Plain != tt.plain || c.Hello.ServerName != tt.sni || !slices.Equal(c.Hello.ALPN, tt.alpn) {
				t.Errorf("hello = %+v", c.Hello)
			}
			if !tt.plain && c.Single() != tt.single {
				t.Errorf("Single = %v, want %v", c.Single(), tt.single)
			}
			again, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(again, tt.in) {
				t.Errorf("read again %d bytes (%v), want the %d that were sent", len(again), err, len(tt.in))
			}
		})
	}
}

// The peek ends at wire.MaxPeek however slowly the bytes come.
func TestTooLong(t *testing.T) {
	t.Parallel()
	in := bytes.Repeat(append([]byte{0x16, 3, 1, 1, 0, 1, 0, 0xff, 0xff}, make([]byte, 252)...), 200)
	written := 0
	_, err := New(fake{r: oneByte{strings.NewReader(string(in))}, written: &written})
	if !errors.Is(err, ErrTooLong) {
		t.Errorf("error = %v, want ErrTooLong", err)
	}
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }

func FuzzPeek(f *testing.F) {
	label := wire.NewLabel().ServerName("edge.site.com")
	hello := clientHello(f, &tls.Config{ServerName: label, NextProtos: []string{wire.ALPNTrunk, wire.ALPNLane}})
	f.Add(hello)
	f.Add(hello[:100])
	f.Add(clientHello(f, &tls.Config{ServerName: "edge.site.com", NextProtos: []string{wire.ALPNLink}}))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
	f.Add([]byte{0x16, 3, 1, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		written := 0
		c, err := New(fake{r: bytes.NewReader(in), written: &written})
		if written != 0 {
			t.Errorf("%d bytes written to the peer", written)
		}
		if err != nil {
			return
		}
		if len(c.Raw()) > wire.MaxPeek || !bytes.HasPrefix(in, c.Raw()) {
			t.Errorf("read %d bytes that are not the first of the input", len(c.Raw()))
		}
		wire.LabelOf(c.Hello.ServerName)
		c.Single()
	})
}
