package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The small service of the demo speaks lines and, where a request line of HTTP
// comes first, HTTP: so telnet, nc, curl and a browser all show something.

const (
	greeting = "hello from the origin, %s\n"
	manual   = "type a line and it comes back in capitals; `echo N` and then N bytes come back as they are; `bye` ends\n"
)

// runService serves until ctx ends and says first where.
func runService(ctx context.Context, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "listening", l.Addr())
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		wg.Go(func() {
			defer context.AfterFunc(ctx, func() { c.Close() })()
			defer c.Close()
			converse(c)
		})
	}
}

// converse answers one connection to its end.
func converse(c net.Conn) {
	r := bufio.NewReaderSize(c, 64<<10)
	for first := true; ; first = false {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case first && strings.Contains(rest, " HTTP/1."):
			answerHTTP(c, r, word, rest)
			return
		case word == "echo":
			n, err := strconv.ParseInt(rest, 10, 64)
			if err != nil || n < 0 {
				fmt.Fprintln(c, "echo needs a number of bytes")
				continue
			}
			if _, err := io.Copy(c, io.LimitReader(r, n)); err != nil {
				return
			}
		case word == "bye":
			fmt.Fprintln(c, "bye")
			return
		case word == "":
			fmt.Fprintf(c, greeting+manual, time.Now().Format(time.TimeOnly))
		default:
			fmt.Fprintln(c, strings.ToUpper(strings.TrimSpace(line)))
		}
	}
}

// answerHTTP answers one request with what the service saw of it.
func answerHTTP(c net.Conn, r *bufio.Reader, method, rest string) {
	path, _, _ := strings.Cut(rest, " ")
	var body bytes.Buffer
	fmt.Fprintf(&body, greeting, time.Now().Format(time.TimeOnly))
	fmt.Fprintf(&body, "you asked for %s %s from %s\n", method, path, c.RemoteAddr())
	for {
		line, err := r.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "" {
			break
		}
	}
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", body.Len())
	if method != "HEAD" {
		c.Write(body.Bytes())
	}
}
