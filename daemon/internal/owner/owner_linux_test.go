package owner

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/ipc"
)

const (
	nobody   = 65534
	connects = 1000
	roleEnv  = "SALLYPORT_OWNER_TEST_DIAL"
)

// TestMain lets the test binary connect as another user: per line of its input
// it connects once to each address, says a byte, and waits for the end.
func TestMain(m *testing.M) {
	addresses := os.Getenv(roleEnv)
	if addresses == "" {
		os.Exit(m.Run())
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		for _, a := range strings.Split(addresses, ",") {
			c, err := net.Dial("tcp", a)
			if err != nil {
				fmt.Println("dial:", err)
				os.Exit(1)
			}
			c.Write([]byte("x"))
			switch in.Text() {
			case "half":
				c.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c)
			case "wait":
				io.Copy(io.Discard, c)
			}
			c.Close()
		}
	}
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
	self := strconv.Itoa(os.Geteuid())
	for name, f := range families(t) {
		t.Run(name, func(t *testing.T) {
			for range connects {
				c, a := pair(t, f.l, "tcp", f.address)
				if err := k.Of(self, ipc.UserName(self)).Check(a); err != nil {
					t.Fatal(err)
				}
				if err := k.Of(self, "former").Check(a); !errors.Is(err, ErrOther) {
					t.Errorf("an account that had the number before: %v, want ErrOther", err)
				}
				for let, want := range map[bool]error{true: nil, false: ErrOther} {
					if err := k.Of("12345", "").SharedWith(func(uid string) bool { return let && uid == self }).Check(a); !errors.Is(err, want) {
						t.Errorf("shared with this user %t: %v, want %v", let, err, want)
					}
				}
				if err := k.Check(a, "12345"); !errors.Is(err, ErrOther) {
					t.Fatalf("for another owner: %v, want ErrOther", err)
				}
				c.Close()
				a.Close()
			}
		})
	}
}

// mapped dials IPv4 with an IPv6 socket, as programs that know only those do.
func mapped(t testing.TB, port int) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Connect(fd, &unix.SockaddrInet6{Port: port, Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16()}); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestMappedClientIsAdmitted(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	mapped(t, l.Addr().(*net.TCPAddr).Port)
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := k.Check(a, strconv.Itoa(os.Geteuid())); err != nil {
		t.Error(err)
	}
}

func TestHalfClosedIsAdmittedAndClosedIsUnknown(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	self := strconv.Itoa(os.Geteuid())
	for name, f := range families(t) {
		t.Run(name, func(t *testing.T) {
			c, a := pair(t, f.l, "tcp", f.address)
			c.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, a) // until the FIN is here
			if err := k.Check(a, self); err != nil {
				t.Errorf("half-closed: %v", err)
			}
			c, a = pair(t, f.l, "tcp", f.address)
			c.Close()
			io.Copy(io.Discard, a)
			for _, uid := range []string{self, "0"} {
				if err := k.Check(a, uid); !errors.Is(err, ErrUnknown) {
					t.Errorf("closed, owner %s: %v, want ErrUnknown", uid, err)
				}
			}
			c, a = pair(t, f.l, "tcp", f.address)
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
			a.Read(make([]byte, 1)) // until the RST is here
			if err := k.Check(a, self); !errors.Is(err, ErrUnknown) {
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
	if err := k.Check(a, strconv.Itoa(os.Geteuid())); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
}

func TestRowsThatAreNotUsable(t *testing.T) {
	t.Parallel()
	src, dst := netip.MustParseAddrPort("127.0.0.1:1000"), netip.MustParseAddrPort("127.0.0.1:2000")
	good := row{state: unix.BPF_TCP_ESTABLISHED, src: src, dst: dst, uid: 1000, inode: 1}
	for name, change := range map[string]func(*row){
		"":                func(*row) {},
		"connecting":      func(r *row) { r.state = unix.BPF_TCP_SYN_SENT },
		"listening":       func(r *row) { r.state = unix.BPF_TCP_LISTEN },
		"waiting":         func(r *row) { r.state = unix.BPF_TCP_TIME_WAIT },
		"without process": func(r *row) { r.inode, r.uid = 0, 0 },
		"another source":  func(r *row) { r.src = dst },
		"another peer":    func(r *row) { r.dst = src },
	} {
		r := good
		change(&r)
		if err := r.usable(src, dst); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestNoSocket(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := k.Check(a, "0"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	k.Close()
	l := listen(t, "tcp4", "127.0.0.1:0")
	_, accepted := pair(t, l, "tcp4", l.Addr().String())
	if err := k.Check(accepted, strconv.Itoa(os.Geteuid())); !errors.Is(err, ErrUnknown) {
		t.Errorf("after Close: %v, want ErrUnknown", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	self := strconv.Itoa(os.Geteuid())
	var wg sync.WaitGroup
	for range 32 {
		_, a := pair(t, l, "tcp4", l.Addr().String())
		wg.Go(func() {
			for range 100 {
				if err := k.Check(a, self); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestAnotherUser lets a process of a real second user connect a thousand times
// in each of three manners: never admitted for root, always for itself, and
// never for anybody once it has closed.
func TestAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to run a process of a second user")
	}
	k := newChecker(t)
	v4, v6 := listen(t, "tcp4", "127.0.0.1:0"), listen(t, "tcp6", "[::1]:0")
	say := asNobody(t, v4.Addr().String()+","+v6.Addr().String())
	for i := range connects {
		manner := []string{"wait", "half", "close"}[i%3]
		say(manner)
		for _, l := range []net.Listener{v4, v6} {
			a, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if manner != "wait" {
				io.Copy(io.Discard, a) // until its FIN
			}
			if err := k.Check(a, "0"); err == nil {
				t.Fatalf("connect %d (%s): admitted as root's", i, manner)
			}
			err = k.Check(a, strconv.Itoa(nobody))
			if manner == "close" && !errors.Is(err, ErrUnknown) {
				t.Fatalf("connect %d: closed, and %v", i, err)
			}
			if manner != "close" && err != nil {
				t.Fatalf("connect %d (%s): its own owner: %v", i, manner, err)
			}
			a.Close()
		}
	}
}

// asNobody starts this test binary as another user.
func asNobody(t *testing.T, addresses string) (say func(string)) {
	t.Helper()
	exe, err := os.ReadFile("/proc/self/exe") // its directory is closed to others
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "t")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(bin, exe, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin)
	cmd.Dir, cmd.Env, cmd.Stdout = "/", []string{roleEnv + "=" + addresses}, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	return func(manner string) { fmt.Fprintln(in, manner) }
}

func FuzzParse(f *testing.F) {
	f.Add(make([]byte, answerSize))
	f.Add(request(1, netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::1]:2")))
	f.Fuzz(func(t *testing.T, b []byte) { parse(b) })
}
