//go:build !windows

package ipc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// socketDir is short: t.TempDir of a long test name passes the kernel's limit.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestModes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		machine   bool
		dir, sock os.FileMode
	}{
		{name: "user", dir: 0o700, sock: 0o600},
		{name: "machine", machine: true, dir: 0o755, sock: 0o666},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(socketDir(t), "run", "d.sock")
			l, err := Listen(path, Options{Machine: tt.machine})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for p, want := range map[string]os.FileMode{filepath.Dir(path): tt.dir, path: tt.sock} {
				info, err := os.Stat(p)
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode().Perm(); got != want {
					t.Errorf("%s has mode %04o, want %04o", p, got, want)
				}
			}
		})
	}
}

func TestListenReplacesOnlyDeadSockets(t *testing.T) {
	t.Parallel()
	t.Run("live", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(socketDir(t), "d.sock")
		first, err := Listen(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(path, Options{}); !errors.Is(err, ErrInUse) {
			t.Fatalf("second daemon: %v, want ErrInUse", err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		second, err := Listen(path, Options{})
		if err != nil {
			t.Fatalf("after the first has gone: %v", err)
		}
		second.Close()
	})
	t.Run("live, of another program", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(socketDir(t), "d.sock")
		other, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if _, err := Listen(path, Options{}); !errors.Is(err, ErrInUse) {
			t.Fatalf("got %v, want ErrInUse", err)
		}
	})
	t.Run("stale", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(socketDir(t), "d.sock")
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		dead.Close()
		l, err := Listen(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	})
	t.Run("no socket", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(socketDir(t), "d.sock")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(path, Options{}); err == nil {
			t.Fatal("a plain file was replaced")
		}
		if b, _ := os.ReadFile(path); string(b) != "precious" {
			t.Fatalf("the file now holds %q", b)
		}
	})
	t.Run("writable directory", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(socketDir(t), "open")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(filepath.Join(dir, "d.sock"), Options{}); err == nil {
			t.Fatal("a directory that anybody may write to was accepted")
		}
	})
	t.Run("another user's directory", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("needs root")
		}
		dir := filepath.Join(socketDir(t), "theirs")
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, nobody, -1)); err != nil {
			t.Fatal(err)
		}
		if l, err := Listen(filepath.Join(dir, "d.sock"), Options{Machine: true}); err == nil {
			l.Close()
			t.Fatal("a directory whose owner can replace the socket was accepted")
		}
	})
	t.Run("long path", func(t *testing.T) {
		t.Parallel()
		_, err := Listen(filepath.Join(socketDir(t), strings.Repeat("x", 120)), Options{})
		if err == nil || !strings.Contains(err.Error(), "bytes at most") {
			t.Fatalf("got %v", err)
		}
	})
}

func TestPeerIsThisProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "d.sock")
	l, err := Listen(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, err := Peer(s)
	if err != nil {
		t.Fatal(err)
	}
	if id.UID != strconv.Itoa(os.Geteuid()) || id.PID != os.Getpid() || !id.Administrator || id.Name == "" {
		t.Errorf("peer %+v, want this process", id)
	}
	if err := CheckServer(c); err != nil {
		t.Errorf("own server: %v", err)
	}
}

// One user cannot take all connections, and gets others for those given back.
func TestConnectionsPerUser(t *testing.T) {
	t.Parallel()
	path := filepath.Join(socketDir(t), "d.sock")
	const most = 3
	l, err := Listen(path, Options{PerUser: most})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 2*most)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "in\n")
			accepted <- c
		}
	}()
	// try says whether a connection was let in; it is kept open.
	try := func() bool {
		c, err := Dial(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		line, _ := bufio.NewReader(c).ReadString('\n')
		return line == "in\n"
	}
	for i := range 2 * most {
		if got := try(); got != (i < most) {
			t.Fatalf("connection %d let in: %t", i+1, got)
		}
	}
	c := <-accepted
	if _, err := Peer(c); err != nil {
		t.Errorf("who it is, is not known: %v", err)
	}
	if _, ok := c.(interface{ CloseWrite() error }); !ok {
		t.Error("its direction cannot be ended")
	}
	c.Close()
	c.Close() // counts once
	if !try() || try() {
		t.Error("after one was closed there is not room for exactly one")
	}
	for range most {
		(<-accepted).Close()
	}
}

func TestPeerNeedsASocket(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, err := Peer(a); !errors.Is(err, ErrNoIdentity) {
		t.Errorf("got %v, want ErrNoIdentity", err)
	}
	if err := CheckServer(a); !errors.Is(err, ErrUntrusted) {
		t.Errorf("got %v, want ErrUntrusted", err)
	}
}

func TestDialNobody(t *testing.T) {
	t.Parallel()
	if _, err := Dial(t.Context(), filepath.Join(socketDir(t), "d.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, want ErrNotExist", err)
	}
}

// nobody is a real second OS user.
const nobody = 65534

const roleEnv = "SALLYPORT_IPC_TEST_ROLE"

// TestMain lets the test binary play a process of another user.
func TestMain(m *testing.M) {
	switch role, path, _ := strings.Cut(os.Getenv(roleEnv), ":"); role {
	case "":
		os.Exit(m.Run())
	case "client":
		c, err := net.Dial("unix", path)
		if err != nil {
			fmt.Println("refused:", err)
			os.Exit(0)
		}
		io.Copy(os.Stdout, c)
	case "server":
		l, err := net.Listen("unix", path)
		if err != nil {
			fmt.Println("listen:", err)
			os.Exit(1)
		}
		os.Chmod(path, 0o666)
		fmt.Println("ready")
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		io.Copy(io.Discard, c)
	}
}

func asNobody(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to run a process of a second user")
	}
	// The test binary's own directory is closed to others.
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	dir := socketDir(t)
	bin := filepath.Join(dir, "t")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(bin, exe, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin)
	cmd.Env = []string{roleEnv + "=" + role + ":" + path}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}}
	return cmd
}

func TestOtherUserIsKnownAndNoAdministrator(t *testing.T) {
	dir := socketDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "d.sock")
	cmd := asNobody(t, "client", path)
	l, err := Listen(path, Options{Machine: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	id, err := Peer(s)
	s.Close()
	cmd.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if id.UID != strconv.Itoa(nobody) || id.Administrator || id.Root || id.PID != cmd.Process.Pid {
		t.Errorf("peer %+v, want uid %d of process %d without rights", id, nobody, cmd.Process.Pid)
	}
}

func TestUserDaemonIsClosedToOthers(t *testing.T) {
	dir := socketDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "d.sock")
	cmd := asNobody(t, "client", path)
	l, err := Listen(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "permission denied") {
		t.Errorf("another user at a user's daemon: %q, want permission denied", out)
	}
}

func TestStrangersServerIsNotTrusted(t *testing.T) {
	dir := socketDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "d.sock")
	cmd := asNobody(t, "server", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q %v", line, err)
	}
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := CheckServer(c); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("got %v, want ErrUntrusted that names the user", err)
	}
}
