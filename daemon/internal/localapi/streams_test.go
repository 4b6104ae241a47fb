package localapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
)

// origin accepts connections for a test to look at.
func origin(t *testing.T) (address string, accept func() *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return "tcp://" + l.Addr().String(), func() *net.TCPConn {
		l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
		c, err := l.Accept()
		must(t, err)
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(patience))
		return c.(*net.TCPConn)
	}
}

// joined is a stream from the local API to an origin, both ends in hand.
func joined(t *testing.T) (*rig, *client.Stream, *net.TCPConn) {
	t.Helper()
	r := start(t)
	r.use()
	address, accept := origin(t)
	_, err := r.AddTunnel(t.Context(), api.TunnelInput{Hostname: linktest.Hostname, Origin: address})
	must(t, err)
	r.until("published", func(s *api.Status) bool { return len(s.Tunnels) == 1 && s.Tunnels[0].State == api.TunnelPublished })
	r.login()
	s, err := r.OpenStream(t.Context(), api.StreamInput{Hostname: linktest.Hostname})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	s.SetDeadline(time.Now().Add(patience))
	return r, s, accept()
}

func TestStreamHalfClose(t *testing.T) {
	t.Parallel()
	r, s, o := joined(t)
	big := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	go func() {
		io.WriteString(s, big)
		s.CloseWrite()
	}()
	if b, err := io.ReadAll(o); err != nil || string(b) != big {
		t.Fatalf("the origin read %d bytes, %v", len(b), err)
	}
	// The other direction goes on after the end of the first.
	_, err := io.WriteString(o, big)
	must(t, err)
	must(t, o.CloseWrite())
	if b, err := io.ReadAll(s); err != nil || string(b) != big {
		t.Fatalf("the program read %d bytes, %v", len(b), err)
	}
	r.until("counted", func(st *api.Status) bool {
		return st.Tunnels[0].BytesToOrigin == 1<<20 && st.Tunnels[0].BytesFromOrigin == 1<<20
	})
	if st, err := r.StreamEnd(t.Context(), s.ID); err != nil || st.Problem != nil || st.Hostname != linktest.Hostname {
		t.Errorf("the end: %+v, %v", st, err)
	}
}

func TestStreamEndOfTheOriginFirst(t *testing.T) {
	t.Parallel()
	_, s, o := joined(t)
	must(t, o.CloseWrite())
	if b, err := io.ReadAll(s); err != nil || len(b) != 0 {
		t.Fatalf("read %q, %v", b, err)
	}
	_, err := io.WriteString(s, "still here")
	must(t, err)
	must(t, s.CloseWrite())
	if b, err := io.ReadAll(o); err != nil || string(b) != "still here" {
		t.Errorf("the origin read %q, %v", b, err)
	}
}

// TestStreamResetOfTheOrigin: the raw bytes end as always, and the question how
// gets the truth.
func TestStreamResetOfTheOrigin(t *testing.T) {
	t.Parallel()
	_, s, o := joined(t)
	_, err := io.WriteString(o, "half of a")
	must(t, err)
	b := make([]byte, 9)
	_, err = io.ReadFull(s, b)
	must(t, err)
	must(t, o.SetLinger(0))
	must(t, o.Close())
	var p *api.Problem
	if rest, err := io.ReadAll(s); !errors.As(err, &p) {
		t.Errorf("a reset read as %q, %v", rest, err)
	}
}

// TestStreamProgramGone: a program that dies in mid-transfer is a reset at the
// origin, not an end that looks whole.
func TestStreamProgramGone(t *testing.T) {
	t.Parallel()
	_, s, o := joined(t)
	_, err := io.WriteString(s, "half of a")
	must(t, err)
	_, err = io.ReadFull(o, make([]byte, 9))
	must(t, err)
	must(t, s.Conn.Close()) // what the kernel does for a killed process
	if n, err := o.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the origin read %d bytes, %v; want a reset", n, err)
	}
}

func TestStreamEndsWithTheDaemon(t *testing.T) {
	t.Parallel()
	r, s, o := joined(t)
	r.stop()
	if b, err := io.ReadAll(s); err == nil {
		t.Errorf("the program read %q and a clean end", b)
	}
	if n, err := o.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the origin read %d bytes, %v; want a reset", n, err)
	}
}

func TestStreamRefusals(t *testing.T) {
	t.Parallel()
	r := start(t)
	open := func(hostname string) error {
		s, err := r.OpenStream(t.Context(), api.StreamInput{Hostname: hostname})
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := open("a.site.com"); codeOf(err) != api.CodeNoEdge {
		t.Errorf("no edge: %v", err)
	}
	r.use()
	r.login()
	if err := open("a.site.com"); codeOf(err) != api.CodeNoConnector {
		t.Errorf("nobody publishes it: %v", err)
	}
	if err := open("no name"); codeOf(err) != api.CodeInvalid {
		t.Errorf("no hostname: %v", err)
	}
	status, h, _ := r.raw("POST", "/v1/streams", `{"hostname":"a.site.com"}`)
	if status != http.StatusUpgradeRequired || h.Get("Upgrade") != api.UpgradeStream {
		t.Errorf("without an upgrade: %d %q", status, h.Get("Upgrade"))
	}
}

// TestStreamWaitsForALogin holds the request as a forward holds a connection.
func TestStreamWaitsForALogin(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.use()
	address, accept := origin(t)
	_, err := r.AddTunnel(t.Context(), api.TunnelInput{Hostname: linktest.Hostname, Origin: address})
	must(t, err)
	r.until("published", func(s *api.Status) bool { return len(s.Tunnels) == 1 && s.Tunnels[0].State == api.TunnelPublished })
	opened := make(chan error, 1)
	go func() {
		s, err := r.OpenStream(t.Context(), api.StreamInput{Hostname: linktest.Hostname})
		if err == nil {
			_, err = io.WriteString(s, "x")
		}
		opened <- err
	}()
	r.until("a wanted login", func(s *api.Status) bool { return len(s.Logins) == 1 && s.Logins[0].State == api.LoginWanted })
	r.login()
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(accept(), make([]byte, 1)); err != nil {
		t.Error(err)
	}
}
