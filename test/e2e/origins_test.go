//go:build linux

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// serve runs a TCP service until the test ends and gives its address.
func serve(t *testing.T, handle func(*net.TCPConn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() {
				handle(c.(*net.TCPConn))
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().String()
}

// echo sends back what comes, and the end of it.
func echo(c *net.TCPConn) {
	io.Copy(c, c)
	c.CloseWrite()
}

// replyAfterFIN reads to the client's FIN: 8 bytes say how much to answer.
func replyAfterFIN(c *net.TCPConn) {
	request, err := io.ReadAll(io.LimitReader(c, 1<<20))
	if err != nil || len(request) != 8 {
		return
	}
	if _, err := io.CopyN(c, stream(7), int64(binary.BigEndian.Uint64(request))); err == nil {
		c.CloseWrite()
		io.Copy(io.Discard, c)
	}
}

// stream is an endless sequence of bytes that differs for each seed.
func stream(seed uint64) io.Reader {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

func sum(r io.Reader, n int64) ([]byte, error) {
	h := sha256.New()
	if _, err := io.CopyN(h, r, n); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

// connect opens a TCP connection with a deadline for everything on it.
func connect(ctx context.Context, addr string, d time.Duration) (*net.TCPConn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(d))
	return c.(*net.TCPConn), nil
}

// say sends a line through an echo and wants it back.
func say(c net.Conn, line string) error {
	if _, err := io.WriteString(c, line); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	back := make([]byte, len(line))
	if _, err := io.ReadFull(c, back); err != nil {
		return fmt.Errorf("receive: %w", err)
	}
	if string(back) != line {
		return fmt.Errorf("sent %q, received %q", line, back)
	}
	return nil
}

// echoOnce opens a connection, says a line, and closes.
func echoOnce(ctx context.Context, addr string) error {
	c, err := connect(ctx, addr, 60*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	return say(c, "hello through the gate\n")
}

func lookPath(program string) (string, error) {
	if p, err := exec.LookPath(program); err == nil {
		return p, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if p := filepath.Join(dir, program); isFile(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s: %w", program, exec.ErrNotFound)
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && info.Mode().IsRegular()
}

// procFile is a file of a process below /proc.
func procFile(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}
