//go:build linux

package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/bench/table"
)

// message is what a ping-pong sends each way.
const message = 64

// Bulk moves bytes on n connections at once, up (to the service) or down.
func Bulk(ctx context.Context, addr string, n int, up bool, d time.Duration) (table.Figures, error) {
	one := download
	if up {
		one = upload
	}
	bytes, began := make([]uint64, n), time.Now()
	err := all(n, func(i int) (err error) {
		bytes[i], err = one(ctx, addr, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	took := time.Since(began).Seconds()
	var sum uint64
	for _, b := range bytes {
		sum += b
	}
	gb := float64(sum) / 1e9
	return table.Figures{"gb": gb, "rate": gb / took, "fair": float64(slices.Min(bytes)) * float64(n) / float64(sum)}, nil
}

// all runs f n times at once and joins the errors.
func all(n int, f func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// open connects and says what the connection is for. Its deadline ends a path
// that hangs.
func open(ctx context.Context, addr string, d time.Duration, prelude ...byte) (*net.TCPConn, error) {
	c, err := Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(d + 30*time.Second))
	if _, err := c.Write(prelude); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func upload(ctx context.Context, addr string, d time.Duration) (uint64, error) {
	c, err := open(ctx, addr, d, modeSink)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	buf := make([]byte, chunk)
	var sent uint64
	for end := time.Now().Add(d); time.Now().Before(end); {
		n, err := c.Write(buf)
		sent += uint64(n)
		if err != nil {
			return 0, fmt.Errorf("upload after %d bytes: %w", sent, err)
		}
	}
	if err := c.CloseWrite(); err != nil {
		return 0, err
	}
	var count [8]byte
	if _, err := io.ReadFull(c, count[:]); err != nil {
		return 0, fmt.Errorf("upload: answer: %w", err)
	}
	if got := binary.BigEndian.Uint64(count[:]); got != sent {
		return 0, fmt.Errorf("upload: sent %d bytes, %d came", sent, got)
	}
	return sent, nil
}

func download(ctx context.Context, addr string, d time.Duration) (uint64, error) {
	prelude := binary.BigEndian.AppendUint32([]byte{modeSource}, uint32(d.Milliseconds()))
	c, err := open(ctx, addr, d, prelude...)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	buf := make([]byte, chunk)
	var n uint64
	for {
		k, err := c.Read(buf)
		n += uint64(k)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return 0, fmt.Errorf("download after %d bytes: %w", n, err)
		}
	}
}

// PingPong sends messages to and fro on n open connections at once.
func PingPong(ctx context.Context, addr string, n int, d time.Duration) (table.Figures, error) {
	conns, err := OpenEchoes(ctx, addr, n, d)
	defer CloseAll(conns)
	if err != nil {
		return nil, err
	}
	took := make([][]time.Duration, n)
	began := time.Now()
	err = all(n, func(i int) error {
		for time.Since(began) < d {
			t := time.Now()
			if err := exchange(conns[i]); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(t))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	total := time.Since(began).Seconds()
	every := slices.Concat(took...)
	return table.Figures{"count": float64(len(every)), "ops": float64(len(every)) / total, "p50": Quantile(every, 0.5), "p99": Quantile(every, 0.99)}, nil
}

// OpenEchoes opens n connections, each used once so that it is open to its end.
func OpenEchoes(ctx context.Context, addr string, n int, d time.Duration) ([]*net.TCPConn, error) {
	conns := make([]*net.TCPConn, n)
	// A few at a time: the references need as many handshakes.
	tokens := make(chan struct{}, 16)
	err := all(n, func(i int) error {
		tokens <- struct{}{}
		defer func() { <-tokens }()
		c, err := open(ctx, addr, d, modeEcho)
		if err != nil {
			return err
		}
		conns[i] = c
		return exchange(c)
	})
	return conns, err
}

// Stalled opens n endless downloads and reads the first bytes of each.
func Stalled(ctx context.Context, addr string, n int) ([]*net.TCPConn, error) {
	conns := make([]*net.TCPConn, n)
	tokens := make(chan struct{}, 16)
	err := all(n, func(i int) (err error) {
		tokens <- struct{}{}
		defer func() { <-tokens }()
		prelude := binary.BigEndian.AppendUint32([]byte{modeSource}, uint32(time.Hour.Milliseconds()))
		if conns[i], err = open(ctx, addr, time.Hour, prelude...); err != nil {
			return err
		}
		_, err = io.ReadFull(conns[i], make([]byte, 1024))
		return err
	})
	return conns, err
}

// CloseAll closes those that were opened; others are zero.
func CloseAll[C interface {
	comparable
	net.Conn
}](conns []C) {
	var none C
	for _, c := range conns {
		if c != none {
			c.Close()
		}
	}
}

func exchange(c *net.TCPConn) error {
	var b [message]byte
	if _, err := c.Write(b[:]); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b[:])
	return err
}

// Beside is n ping-pongs while one bulk download uses the same path.
func Beside(ctx context.Context, addr string, n int, d time.Duration) (table.Figures, error) {
	const lead = 300 * time.Millisecond // the download is at speed by then
	var load, out table.Figures
	err := all(2, func(i int) (err error) {
		if i == 0 {
			load, err = Bulk(ctx, addr, 1, false, d+2*lead)
			return err
		}
		if err := Wait(ctx, lead); err != nil {
			return err
		}
		out, err = PingPong(ctx, addr, n, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	out["rate"] = load["rate"]
	return out, nil
}

// Touch opens connections, n at a time: one byte each way, then close. At most
// limit of them, so that a fast path does not use all ports up.
func Touch(ctx context.Context, addr string, n, limit int, d time.Duration) (table.Figures, error) {
	took := make([][]time.Duration, n)
	began := time.Now()
	err := all(n, func(i int) error {
		for k := 0; k < limit/n && time.Since(began) < d; k++ {
			t := time.Now()
			if err := touchOnce(ctx, addr); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(t))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	total := time.Since(began).Seconds()
	every := slices.Concat(took...)
	return table.Figures{"count": float64(len(every)), "rate": float64(len(every)) / total, "p50": Quantile(every, 0.5), "p99": Quantile(every, 0.99)}, nil
}

func touchOnce(ctx context.Context, addr string) error {
	c, err := open(ctx, addr, 0, modeTouch)
	if err != nil {
		return err
	}
	defer c.Close()
	var b [1]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return fmt.Errorf("new connection: %w", err)
	}
	return nil
}

// Quantile is in microseconds.
func Quantile(d []time.Duration, q float64) float64 {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return float64(d[min(len(d)-1, int(q*float64(len(d))))]) / float64(time.Microsecond)
}

// Wait lets time pass, unless ctx ends first.
func Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
