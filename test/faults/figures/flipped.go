//go:build linux

package figures

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// flip is one bit that is turned on its way.
type flip struct {
	direction impair.Direction
	at        int
}

// ignored are the bytes that no end heeds: the version in the header of the first record
// of a direction (RFC 8446, section 5.1).
func (f flip) ignored() bool { return f.at == 1 || f.at == 2 }

// flips are all bits that are turned, each on a link of its own: one of every byte of the
// first ones, and one of some later.
func flips() []flip {
	const first, later, last = 4096, 1000, 12 << 10
	chance := rand.New(rand.NewPCG(1, 1))
	var all []flip
	for _, d := range []impair.Direction{impair.Up, impair.Down} {
		for at := range first {
			all = append(all, flip{d, at})
		}
		for range later {
			all = append(all, flip{d, first + chance.IntN(last-first)})
		}
	}
	return all
}

// flippedBits turns a bit of a link, at each place on a link of its own, and wants none
// to go on beyond it.
func flippedBits(ctx context.Context, w *suite.World) (string, error) {
	// A length that grew leaves both ends waiting.
	const atOnce = 64
	edge, err := w.Speaker()
	if err != nil {
		return "", err
	}
	all := flips()
	next := make(chan flip)
	errs := make([]error, atOnce)
	var wg sync.WaitGroup
	for i := range atOnce {
		wg.Go(func() {
			id, err := speak.NewIdentity() // a key has one link
			for f := range next {
				if err == nil {
					err = f.play(ctx, edge, id)
				}
			}
			errs[i] = err
		})
	}
	for _, f := range all {
		next <- f
	}
	close(next)
	wg.Wait()
	return fmt.Sprintf("0 of %d accepted", len(all)), errors.Join(errs...)
}

// play turns the bit; its error says that it never came to it, or that the link went on.
func (f flip) play(ctx context.Context, e speak.Edge, id *speak.Identity) error {
	raw, err := e.Dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	// Time enough to come to the bit, on a busy machine as well.
	raw.SetDeadline(time.Now().Add(20 * time.Second))
	c := &flipping{Conn: raw, flip: f}
	link := &speak.Link{Conn: tls.Client(c, speak.LinkTLS(e, id))}
	if m, err := link.Hello(id, "host", nil); err != nil || m.Kind != speak.KindWelcome {
		return c.stopped(err)
	}
	for beyond := 0; beyond < 2; { // what came may have been there before it
		if c.sprung {
			beyond++
		}
		if _, err := link.Call(speak.KindPing, speak.Object{}); err != nil {
			return c.stopped(err)
		}
	}
	if f.ignored() {
		return nil
	}
	return fmt.Errorf("byte %d of direction %d turned, and accepted", f.at, f.direction)
}

// flipping is a connection that turns one bit.
type flipping struct {
	net.Conn
	flip
	up, down int // bytes that have passed
	sprung   bool
}

// stopped is the error of a link that ended: nil where its bit was turned before.
func (c *flipping) stopped(err error) error {
	if c.sprung {
		return nil
	}
	return fmt.Errorf("before byte %d of direction %d: %w", c.at, c.direction, err)
}

// SetReadDeadline does nothing: the connection has one for all that it does.
func (c *flipping) SetReadDeadline(time.Time) error { return nil }

func (c *flipping) Write(p []byte) (int, error) {
	if c.direction == impair.Up {
		p = append([]byte(nil), p...)
		c.turn(p, c.up)
	}
	n, err := c.Conn.Write(p)
	c.up += n
	return n, err
}

func (c *flipping) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.direction == impair.Down {
		c.turn(p[:n], c.down)
	}
	c.down += n
	return n, err
}

// turn turns the bit where it is in p, whose first byte is that many; what comes after
// it has little time.
func (c *flipping) turn(p []byte, first int) {
	if i := c.at - first; i >= 0 && i < len(p) {
		p[i] ^= 1 << (c.at % 8)
		c.sprung = true
		c.Conn.SetDeadline(time.Now().Add(3 * time.Second))
	}
}
