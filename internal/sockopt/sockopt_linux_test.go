package sockopt

import (
	"crypto/tls"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/wire"
)

func pair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialled, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled.(*net.TCPConn), accepted.(*net.TCPConn)
}

func control(t *testing.T, c *net.TCPConn, f func(fd int) error) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil || ferr != nil {
		t.Fatal(err, ferr)
	}
}

func linger(t *testing.T, c *net.TCPConn) (l unix.Linger) {
	t.Helper()
	control(t, c, func(fd int) error {
		got, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER)
		if err == nil {
			l = *got
		}
		return err
	})
	return l
}

func TestLocalResetsUntilToldOtherwise(t *testing.T) {
	t.Parallel()
	c, _ := pair(t)
	Local(c)
	if got, want := linger(t, c), (unix.Linger{Onoff: 1}); got != want {
		t.Errorf("after Local: %+v, want %+v", got, want)
	}
	Linger(c, false)
	if got, want := linger(t, c), (unix.Linger{}); got != want {
		t.Errorf("after Linger: %+v, want %+v", got, want)
	}
}

func TestLoopbackIsNotPaced(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(net.Conn){"local": Local, "carrier": Carrier} {
		c, _ := pair(t)
		set(c)
		control(t, c, func(fd int) error {
			got, err := unix.GetsockoptString(fd, unix.IPPROTO_TCP, unix.TCP_CONGESTION)
			if paced() && got != "reno" {
				t.Errorf("%s: congestion control %q, want reno", name, got)
			}
			return err
		})
	}
}

// A carrier is usually seen through TLS.
func TestCarrierThroughTLS(t *testing.T) {
	t.Parallel()
	c, _ := pair(t)
	Carrier(tls.Client(c, &tls.Config{ServerName: "edge.test"}))
	control(t, c, func(fd int) error {
		timeout, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT)
		if err != nil {
			return err
		}
		low, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT)
		if timeout != int(wire.UserTimeout.Milliseconds()) || low != wire.NotSentLowAt {
			t.Errorf("user timeout %d ms, low water mark %d", timeout, low)
		}
		return err
	})
}

func TestOtherConnectionsAreLeftAlone(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	Local(a)
	Carrier(a)
	Linger(a, false)
}
