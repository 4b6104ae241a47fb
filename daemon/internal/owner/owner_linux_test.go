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
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// connects is how often each way is tried.
const connects = 1000

const (
	nobody  = 65534
	roleEnv = "SALLYPORT_OWNER_TEST_DIAL"
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
	if err := k.Of(itself(t), "").Check(a); err != nil {
		t.Error(err)
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
			if err := k.Of("0", "").Check(a); err == nil {
				t.Fatalf("connect %d (%s): admitted as root's", i, manner)
			}
			err = k.Of(strconv.Itoa(nobody), "").Check(a)
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

func TestClosedChecker(t *testing.T) {
	t.Parallel()
	k := newChecker(t)
	k.Close()
	l := listen(t, "tcp4", "127.0.0.1:0")
	_, accepted := pair(t, l, "tcp4", l.Addr().String())
	if err := k.Of(itself(t), "").Check(accepted); !errors.Is(err, ErrUnknown) {
		t.Errorf("after Close: %v, want ErrUnknown", err)
	}
}

// closedIsUnknown: a socket that its process has closed has no owner here.
const closedIsUnknown = true

// tellsHalves: this system tells a half-closed connection from a reset one.
func tellsHalves(testing.TB, net.Conn) bool { return true }

func FuzzParse(f *testing.F) {
	f.Add(make([]byte, answerSize))
	f.Add(request(1, netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::1]:2")))
	f.Fuzz(func(t *testing.T, b []byte) { parse(b) })
}
