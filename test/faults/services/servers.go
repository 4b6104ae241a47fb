//go:build linux

package services

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/test/harness"
)

// Servers are what listens on loopback.
type Servers struct {
	// PostgreSQL and SSH are their addresses.
	PostgreSQL, SSH string

	dir     string
	started []*exec.Cmd
	made    map[int64][32]byte // the sums of the files to copy, by size
}

// Missing says which programs there are not; nil where all are.
func Missing() error {
	var errs []error
	for _, p := range []string{"psql", "pgbench", "ssh", "scp", "ssh-keygen"} {
		if _, err := exec.LookPath(p); err != nil {
			errs = append(errs, err)
		}
	}
	if _, err := postgresPrograms(); err != nil {
		errs = append(errs, err)
	}
	if _, err := sshdProgram(); err != nil {
		errs = append(errs, err)
	}
	if os.Geteuid() != 0 {
		errs = append(errs, errors.New("sshd needs root"))
	}
	return errors.Join(errs...)
}

func postgresPrograms() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(dirs) == 0 {
		return "", errors.New("PostgreSQL is not installed")
	}
	return dirs[len(dirs)-1], nil
}

func sshdProgram() (string, error) {
	if p, err := exec.LookPath("sshd"); err == nil {
		return p, nil
	}
	return "/usr/sbin/sshd", errors.Join(statErr("/usr/sbin/sshd"))
}

func statErr(file string) error { _, err := os.Stat(file); return err }

// Start runs the servers with their files below dir.
func Start(ctx context.Context, dir string) (*Servers, error) {
	s := &Servers{dir: dir, made: make(map[int64][32]byte)}
	if err := errors.Join(s.postgres(ctx), s.sshd(ctx)); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends them.
func (s *Servers) Close() error {
	for _, c := range s.started {
		c.Process.Signal(syscall.SIGTERM)
		stop := time.AfterFunc(5*time.Second, func() { c.Process.Kill() })
		c.Wait()
		stop.Stop()
	}
	s.started = nil
	return nil
}

// serve starts a server that stays, and waits until it takes connections.
func (s *Servers) serve(ctx context.Context, addr string, as *syscall.Credential, name string, args ...string) error {
	log, err := os.Create(filepath.Join(s.dir, filepath.Base(name)+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: as}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.started = append(s.started, cmd)
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return harness.Poll(ctx, filepath.Base(name), func() (bool, error) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return false, err
		}
		return true, c.Close()
	})
}

func freeAddress() (addr, port string, err error) {
	n, err := harness.FreePort(0)
	port = strconv.Itoa(n)
	return "127.0.0.1:" + port, port, err
}

// postgres runs as its own OS user, which it wants.
func (s *Servers) postgres(ctx context.Context) error {
	bin, err := postgresPrograms()
	if err != nil {
		return err
	}
	as, err := credential("postgres")
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, "pg")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, int(as.Uid), int(as.Gid))); err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = "/", &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	var port string
	if s.PostgreSQL, port, err = freeAddress(); err != nil {
		return err
	}
	err = s.serve(ctx, s.PostgreSQL, as, filepath.Join(bin, "postgres"), "-D", data, "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="+dir, "-c", "fsync=off")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	// It listens a while before it takes anybody.
	return harness.Poll(ctx, "PostgreSQL to be ready", func() (bool, error) {
		out, err := exec.CommandContext(ctx, "pgbench", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-i", "-q", "-s", "1", "postgres").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("pgbench -i: %w\n%s", err, out)
		}
		return err == nil, err
	})
}

func credential(name string) (*syscall.Credential, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(uerr, gerr)
}

func (s *Servers) sshd(ctx context.Context) error {
	program, err := sshdProgram()
	if err != nil {
		return err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		return err
	}
	for _, key := range []string{"host", "user"} {
		out, err := exec.CommandContext(ctx, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, key)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ssh-keygen: %w\n%s", err, out)
		}
	}
	var port string
	if s.SSH, port, err = freeAddress(); err != nil {
		return err
	}
	config := fmt.Sprintf("Port %s\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/user.pub\nPidFile none\nUsePAM no\n"+
		"StrictModes no\nPermitRootLogin yes\nMaxStartups 100\nSubsystem sftp internal-sftp\n", port, s.dir, s.dir)
	file := filepath.Join(s.dir, "sshd_config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	return s.serve(ctx, s.SSH, nil, program, "-D", "-e", "-f", file)
}
