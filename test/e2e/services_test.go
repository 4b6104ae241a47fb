//go:build linux

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/needs"
	"github.com/sallyport/sallyport/test/harness"
)

// httpHello answers every request with hello.
func httpHello(c *net.TCPConn) {
	if _, err := c.Read(make([]byte, 8<<10)); err == nil {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
		c.CloseWrite()
		io.Copy(io.Discard, c)
	}
}

func credential(u *harness.User) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: u.UID, Gid: u.GID}}
}

// background runs a server until the test ends.
func background(t *testing.T, cmd *exec.Cmd) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = 5 * time.Second
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		cmd.Wait()
		timer.Stop()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(cmd.Path), out.String())
		}
	})
	return &out
}

// listening waits until something accepts at addr.
func (s *story) listening(addr string) {
	s.Helper()
	s.must(harness.Poll(s.ctx, "a server at "+addr, func() (bool, error) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	}))
}

func number(port string) int {
	n, _ := strconv.Atoi(port)
	return n
}

func (s *story) freePort() string {
	s.Helper()
	p, err := harness.FreePort(0)
	s.must(err)
	return strconv.Itoa(p)
}

// reach signs alice in at a client with a forward to what origin serves, and
// gives the port of the forward. The flags are those of forward add.
func (s *story) reach(origin string, flags ...string) (port string) {
	s.Helper()
	s.listening(origin)
	s.publish(origin)
	s.startClient()
	addr := s.forward(app, flags...)
	s.signIn(alice, harness.Loopback)
	_, port, err := net.SplitHostPort(addr)
	s.must(err)
	return port
}

// output runs a client of a service to its end.
func (s *story) output(d time.Duration, env []string, name string, args ...string) string {
	s.Helper()
	out, err := s.try(d, env, name, args...)
	if err != nil {
		s.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func (s *story) try(d time.Duration, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.ctx, d)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.CombinedOutput()
	return string(out), errors.Join(err, ctx.Err())
}

// hasPostgres says whether PostgreSQL is installed, server and clients.
func hasPostgres() bool {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	_, psql := lookPath("psql")
	_, pgbench := lookPath("pgbench")
	_, account := user.Lookup("postgres")
	return len(bins) > 0 && errors.Join(psql, pgbench) == nil && (os.Geteuid() != 0 || account == nil)
}

// postgres starts a cluster of the story's own and gives its address. As root
// it runs as its own OS user, which PostgreSQL wants.
func (s *story) postgres() (addr string) {
	s.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if !hasPostgres() {
		needs.Missing(s, "PostgreSQL")
	}
	bin, dir := bins[len(bins)-1], filepath.Join(s.world.Dir, "pg")
	s.must(os.Mkdir(dir, 0o700))
	var attr *syscall.SysProcAttr
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		s.must(err)
		uid, err := strconv.Atoi(u.Uid)
		s.must(err)
		gid, err := strconv.Atoi(u.Gid)
		s.must(err)
		s.must(os.Chown(dir, uid, gid))
		attr = credential(&harness.User{UID: uint32(uid), GID: uint32(gid)})
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = attr, "/"
	if out, err := initdb.CombinedOutput(); err != nil {
		s.Fatalf("initdb: %v\n%s", err, out)
	}
	port := s.freePort()
	server := exec.Command(filepath.Join(bin, "postgres"), "-D", filepath.Join(dir, "data"), "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir, "-c", "fsync=off")
	server.SysProcAttr, server.Dir = attr, "/"
	background(s.T, server)
	return "127.0.0.1:" + port
}

// TestPostgreSQL: psql asks and is answered; pgbench runs with 16 clients for 30
// seconds (10 with -short); a revoked session cuts a psql that waits.
func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	port := s.reach(s.postgres())
	conn := []string{"-h", "localhost", "-p", port, "-U", "postgres"}
	s.must(s.settled(func() error {
		_, err := s.try(10*time.Second, nil, "psql", append(conn, "-c", "select 1")...)
		return err
	}))
	if out := s.output(20*time.Second, nil, "psql", append(conn, "-Atc", "select 6*7")...); strings.TrimSpace(out) != "42" {
		t.Errorf("psql says %q", out)
	}
	seconds := "30"
	if testing.Short() {
		seconds = "10"
	}
	s.output(time.Minute, nil, "pgbench", append(conn, "-i", "-q", "-s", "2", "postgres")...)
	out := s.output(90*time.Second, nil, "pgbench", append(conn, "-c", "16", "-j", "2", "-T", seconds, "postgres")...)
	if !strings.Contains(out, "number of failed transactions: 0 (") {
		t.Errorf("pgbench: %s", out)
	}

	type result struct {
		out string
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := s.try(time.Minute, nil, "psql", append(conn, "-c", "select 'held', pg_sleep(50)")...)
		done <- result{out, err}
	}()
	s.must(s.settled(func() error {
		out := s.output(10*time.Second, nil, "psql", append(conn, "-Atc", "select count(*) from pg_stat_activity where query like '%held%' and state='active'")...)
		if strings.TrimSpace(out) < "2" {
			return errors.New("the long query does not run yet")
		}
		return nil
	}))
	s.ok(s.edge.Run(s.ctx, "session", "revoke", s.sessionOf(alice)))
	if r := <-done; r.err == nil || !strings.Contains(r.out, "server closed the connection unexpectedly") && !strings.Contains(r.out, "reset") {
		t.Errorf("psql of a revoked session: %v\n%s", r.err, r.out)
	}
	s.ended("revoked")
}

// settled tries f until it succeeds.
func (s *story) settled(f func() error) error {
	return harness.Poll(s.ctx, "it to succeed", func() (bool, error) {
		err := f()
		return err == nil, err
	})
}

// sshd starts an OpenSSH server with keys of its own and gives its address and
// the arguments that a client needs.
func (s *story) sshd() (addr string, client []string) {
	s.Helper()
	needRoot(s.T)
	need(s.T, "sshd", "ssh", "scp", "ssh-keygen")
	dir := filepath.Join(s.world.Dir, "ssh")
	s.must(os.Mkdir(dir, 0o700))
	s.must(os.MkdirAll("/run/sshd", 0o755))
	for _, key := range []string{"host", "user"} {
		s.output(20*time.Second, nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key))
	}
	port := s.freePort()
	config := fmt.Sprintf(`Port %s
ListenAddress 127.0.0.1
HostKey %s/host
AuthorizedKeysFile %s/user.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
Subsystem sftp internal-sftp
`, port, dir, dir)
	s.must(os.WriteFile(filepath.Join(dir, "sshd_config"), []byte(config), 0o600))
	sshd, err := lookPath("sshd")
	s.must(err)
	background(s.T, exec.Command(sshd, "-D", "-e", "-f", filepath.Join(dir, "sshd_config")))
	return "127.0.0.1:" + port, []string{"-i", filepath.Join(dir, "user"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=" + filepath.Join(dir, "known"), "-F", "none"}
}

// TestOpenSSH: a command through the forward, scp of 200 MB with equal sums, and
// ssh by ProxyCommand without any port.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	addr, options := s.sshd()
	port := s.reach(addr)
	ssh := append([]string{"-p", port}, options...)
	if out := s.output(30*time.Second, nil, "ssh", append(ssh, "root@localhost", "echo $((6*7))")...); !strings.HasSuffix(strings.TrimSpace(out), "42") {
		t.Errorf("ssh says %q", out)
	}

	const size = 200_000_000
	from, to := filepath.Join(s.world.Dir, "from"), filepath.Join(s.world.Dir, "to")
	f, err := os.Create(from)
	s.must(err)
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), stream(3), size)
	s.must(errors.Join(err, f.Close()))
	s.output(2*time.Minute, nil, "scp", append(append([]string{"-P", port}, options...), from, "root@localhost:"+to)...)
	f, err = os.Open(to)
	s.must(err)
	defer f.Close()
	got, err := sum(f, size)
	s.must(err)
	if !bytes.Equal(got, h.Sum(nil)) {
		t.Error("the copied file differs")
	}

	proxy := fmt.Sprintf("ProxyCommand=%s --socket %s access ssh --hostname %%h", s.world.Programs.Ctl, s.client.Socket)
	if out := s.output(30*time.Second, nil, "ssh", append(append([]string{"-o", proxy}, options...), "root@"+app, "echo by proxy")...); !strings.Contains(out, "by proxy") {
		t.Errorf("ssh by ProxyCommand says %q", out)
	}
}

// TestRedis: a key is set and read; a pipeline of thousands comes back in order.
func TestRedis(t *testing.T) {
	t.Parallel()
	need(t, "redis-server", "redis-cli", "redis-benchmark")
	s := begin(t, harness.EdgeOptions{})
	origin := s.freePort()
	server := exec.Command("redis-server", "--port", origin, "--bind", "127.0.0.1", "--save", "", "--dir", s.world.Dir)
	background(t, server)
	port := s.reach("127.0.0.1:" + origin)
	cli := []string{"-h", "localhost", "-p", port}
	if out := s.output(20*time.Second, nil, "redis-cli", append(cli, "set", "gate", "open")...); strings.TrimSpace(out) != "OK" {
		t.Errorf("set says %q", out)
	}
	if out := s.output(20*time.Second, nil, "redis-cli", append(cli, "get", "gate")...); strings.TrimSpace(out) != "open" {
		t.Errorf("get says %q", out)
	}
	s.output(time.Minute, nil, "redis-benchmark", append(cli, "-q", "-n", "20000", "-c", "30", "-P", "8", "-t", "set,get")...)
}

// TestHTTP: a web server with keep-alive, large bodies both ways and many
// requests at once.
func TestHTTP(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := sha256.New()
		io.Copy(h, r.Body)
		fmt.Fprintf(w, "%x", h.Sum(nil))
	})}
	go web.Serve(l) // ends with Close
	t.Cleanup(func() { web.Close() })
	port := s.reach(l.Addr().String(), "--http")
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	s.must(together(16, func(i int) error {
		for k := range 10 {
			n := int64(i*k) * 20_000
			want, err := sum(stream(uint64(i)), n)
			if err != nil {
				return err
			}
			res, err := client.Post("http://localhost:"+port+"/", "application/octet-stream", io.LimitReader(stream(uint64(i)), n))
			if err != nil {
				return err
			}
			got, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(got) != fmt.Sprintf("%x", want) {
				return fmt.Errorf("request %d/%d: %q, %w", i, k, got, err)
			}
		}
		return nil
	}))
}
