package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// startService runs the demo's service until the test ends.
func startService(t *testing.T) (addr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- runService(ctx, in) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return strings.TrimPrefix(strings.TrimSpace(line), "listening ")
}

// A service of the demo's own is started where none is given, and only there.
func TestSteps(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]string{"": "the service", "localhost:5432": "the edge"} {
		s := &stage{}
		if err := s.takeOrigin(origin); err != nil || s.steps(options{origin: origin})[0].what != want || s.origin != origin {
			t.Errorf("origin %q: %v, %+v, want %s first", origin, err, s.steps(options{origin: origin}), want)
		}
	}
	if err := (&stage{}).takeOrigin("localhost"); err == nil {
		t.Error("an origin without a port was taken")
	}
}

func TestServiceLines(t *testing.T) {
	t.Parallel()
	c, err := net.Dial("tcp", startService(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	for _, exchange := range [][2]string{{"hello gate\n", "HELLO GATE\n"}, {"echo 5\na\nb\nc", "a\nb\nc"}, {"echo no\n", "echo needs a number of bytes\n"}, {"bye\n", "bye\n"}} {
		fmt.Fprint(c, exchange[0])
		back := make([]byte, len(exchange[1]))
		if _, err := io.ReadFull(r, back); err != nil || string(back) != exchange[1] {
			t.Errorf("%q: %q, %v; want %q", exchange[0], back, err, exchange[1])
		}
	}
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("after bye: %v", err)
	}
}

func TestServiceHTTP(t *testing.T) {
	t.Parallel()
	addr := startService(t)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + addr + "/some/page")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), "GET /some/page") {
		t.Errorf("%s %q %v", res.Status, body, err)
	}
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	up, down, err := transfer(t.Context(), startService(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(up, down) {
		t.Error("the checksums differ")
	}
}

// TestTransferOfTooFew: a service that ends early is an error, not a short success.
func TestTransferOfTooFew(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // ends with the listener
		if c, err := l.Accept(); err == nil {
			io.CopyN(io.Discard, c, 1000)
			c.Close()
		}
	}()
	if _, _, err := transfer(t.Context(), l.Addr().String()); err == nil {
		t.Error("a transfer that was cut short succeeded")
	}
}
