//go:build linux

package load

import (
	"context"
	"encoding/binary"
	"flag"
	"io"
	"net"
	"time"
)

// The service under test. A connection begins with one byte that says what it
// is for; modeSource is followed by the milliseconds to send for.
const (
	modeSink   = 'u' // reads to the end, answers the count (8 bytes) and closes
	modeSource = 'd' // sends for a while, then closes
	modeEcho   = 'e' // sends back what comes
	modeTouch  = 'o' // answers one byte at once
)

// chunk is what the load generator and the service read and write at once.
const chunk = 256 << 10

func RunService(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("service", flag.ContinueOnError)
	addr := fs.String("listen", "127.0.0.1:0", "where to listen")
	if err := fs.Parse(args); err != nil {
		return err
	}
	l, err := Listen(ctx, *addr)
	if err != nil {
		return err
	}
	Announce(l)
	return Service(ctx, l)
}

// Service serves until ctx ends.
func Service(ctx context.Context, l *net.TCPListener) error { return Serve(ctx, l, serveOne) }

func serveOne(c *net.TCPConn) {
	var mode [1]byte
	if _, err := io.ReadFull(c, mode[:]); err != nil {
		return
	}
	switch mode[0] {
	case modeSink:
		n := discard(c)
		c.Write(binary.BigEndian.AppendUint64(nil, n))
	case modeSource:
		source(c)
	case modeTouch:
		c.Write(mode[:])
		io.Copy(io.Discard, c)
	case modeEcho:
		echo(c)
	}
}

func discard(r io.Reader) (n uint64) {
	buf := make([]byte, chunk)
	for {
		k, err := r.Read(buf)
		n += uint64(k)
		if err != nil {
			return n
		}
	}
}

func source(c *net.TCPConn) {
	var ms [4]byte
	if _, err := io.ReadFull(c, ms[:]); err != nil {
		return
	}
	end := time.Now().Add(time.Duration(binary.BigEndian.Uint32(ms[:])) * time.Millisecond)
	buf := make([]byte, chunk)
	for time.Now().Before(end) {
		if _, err := c.Write(buf); err != nil {
			return
		}
	}
	c.CloseWrite()
	io.Copy(io.Discard, c)
}

func echo(c *net.TCPConn) {
	buf := make([]byte, 4<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
