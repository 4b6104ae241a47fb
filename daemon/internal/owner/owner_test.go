//go:build linux || windows || darwin

package owner

import (
	"errors"
	"io"
	"net"
	"os/user"
	"strconv"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/internal/ipc"
)

// itself is the user that the test runs as.
func itself(t testing.TB) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Uid
}

func newChecker(t testing.TB) *Checker {
	t.Helper()
	k, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func listen(t testing.TB, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("%s %s: %v", network, address, err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// pair gives both ends of a connection to l.
func pair(t testing.TB, l net.Listener, network, address string) (client, accepted net.Conn) {
	t.Helper()
	client, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); accepted.Close() })
	return client, accepted
}

// families are the ways by which a local program can reach a forward.
func families(t testing.TB) map[string]struct {
	l       net.Listener
	address string
} {
	v4, v6 := listen(t, "tcp4", "127.0.0.1:0"), listen(t, "tcp6", "[::1]:0")
	dual := listen(t, "tcp", "[::]:0")
	port := strconv.Itoa(dual.Addr().(*net.TCPAddr).Port)
	return map[string]struct {
		l       net.Listener
		address string
	}{
		"IPv4":                  {v4, v4.Addr().String()},
		"IPv6":                  {v6, v6.Addr().String()},
		"IPv4 to a dual socket": {dual, "127.0.0.1:" + port},
	}
}

func TestOwnIsAdmitted(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	self := itself(t)
	for name, f := range families(t) {
		t.Run(name, func(t *testing.T) {
			for range connects {
				c, a := pair(t, f.l, "tcp", f.address)
				if err := k.Of(self, ipc.UserName(self)).Check(a); err != nil {
					t.Fatal(err)
				}
				if err := k.Of(self, "former").Check(a); errors.Is(err, ErrOther) != reusesUIDs {
					t.Errorf("an account that had the number before: %v, want ErrOther", err)
				}
				for let, want := range map[bool]error{true: nil, false: ErrOther} {
					if err := k.Of("12345", "").SharedWith(func(uid string) bool { return let && uid == self }).Check(a); !errors.Is(err, want) {
						t.Errorf("shared with this user %t: %v, want %v", let, err, want)
					}
				}
				if err := k.Of("12345", "").Check(a); !errors.Is(err, ErrOther) {
					t.Fatalf("for another owner: %v, want ErrOther", err)
				}
				c.Close()
				a.Close()
				if err := k.Of("12345", "").SharedWithEverybody().Check(a); err != nil {
					t.Errorf("of nobody that the kernel knows, shared with everybody: %v", err)
				}
			}
		})
	}
}

func TestHalfClosedIsAdmittedAndClosedIsUnknown(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	self := itself(t)
	for name, f := range families(t) {
		t.Run(name, func(t *testing.T) {
			c, a := pair(t, f.l, "tcp", f.address)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, a) // until the FIN is here
			if err := k.Of(self, "").Check(a); err != nil && tellsHalves(t, a) {
				t.Errorf("half-closed: %v", err)
			}
			c, a = pair(t, f.l, "tcp", f.address)
			c.Close()
			io.Copy(io.Discard, a)
			for _, uid := range []string{self, "0"} {
				err := k.Of(uid, "").Check(a)
				if closedIsUnknown && !errors.Is(err, ErrUnknown) || err == nil && uid != self {
					t.Errorf("closed, owner %s: %v, want ErrUnknown", uid, err)
				}
			}
			c, a = pair(t, f.l, "tcp", f.address)
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
			a.Read(make([]byte, 1)) // until the RST is here
			if err := k.Of(self, "").Check(a); !errors.Is(err, ErrUnknown) {
				t.Errorf("reset: %v, want ErrUnknown", err)
			}
		})
	}
}

// A listener of the owner on the port that the peer had used is found by the
// kernel once the peer is gone: it is not the peer.
func TestListenerOnThePeersPortIsNotThePeer(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	c, a := pair(t, l, "tcp4", l.Addr().String())
	port := c.LocalAddr().String()
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	a.Read(make([]byte, 1))
	listen(t, "tcp4", port)
	if err := k.Of(itself(t), "").Check(a); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

func TestNoSocket(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := k.Of("0", "").Check(a); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	self := itself(t)
	var wg sync.WaitGroup
	for range 32 {
		_, a := pair(t, l, "tcp4", l.Addr().String())
		wg.Go(func() {
			for range connects / 10 {
				if err := k.Of(self, "").Check(a); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
