package impair

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// errFiltered: the proxy lets no such connection through.
var errFiltered = errors.New("filtered")

// maxHead is how much of the first bytes of a connection is kept to look at.
const maxHead = 4 << 10

// maxFlight bounds the bytes of one direction that are on their way in here.
const maxFlight = 4 << 20

// Conn is one connection through the proxy.
type Conn struct {
	// Number counts the connections of the proxy from 0.
	Number int

	proxy    *Proxy
	down, up *net.TCPConn
	second   *net.TCPConn
	over     chan struct{}
	once     sync.Once

	mu     sync.Mutex
	traps  []Trap
	src    source
	head   []byte
	passed [2]uint64
}

// Head is the first bytes that went up: of TLS, the ClientHello.
func (c *Conn) Head() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.head[:len(c.head):len(c.head)]
}

// Passed is how many bytes went each way.
func (c *Conn) Passed() (up, down uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed[Up], c.passed[Down]
}

// Reset ends both sides with a reset.
func (c *Conn) Reset() {
	c.once.Do(func() {
		close(c.over)
		for _, s := range []*net.TCPConn{c.down, c.up, c.second} {
			if s != nil {
				abort(s)
			}
		}
	})
}

func (c *Conn) run() {
	var wg sync.WaitGroup
	wg.Go(func() { c.carry(Up, c.down, c.up) })
	wg.Go(func() { c.carry(Down, c.up, c.down) })
	wg.Wait()
	c.once.Do(func() { // both directions ended in order
		close(c.over)
		c.down.Close()
		c.up.Close()
		if c.second != nil {
			c.second.Close()
		}
	})
}

// piece is bytes on their way, and when they are due; nil is the end.
type piece struct {
	b   []byte
	due time.Time
}

// carry moves one direction from its reading to its writing.
func (c *Conn) carry(d Direction, from, to *net.TCPConn) {
	flight := make(chan piece, maxFlight/(32<<10))
	read := make(chan error, 1)
	go func() { // ends with the connection
		read <- c.read(d, from, flight)
		close(flight)
	}()
	err := c.write(d, to, flight)
	if err != nil {
		c.Reset()
	}
	if err := <-read; err != nil {
		c.Reset()
	}
}

func (c *Conn) read(d Direction, from *net.TCPConn, flight chan<- piece) error {
	var last time.Time
	for {
		buf := make([]byte, 32<<10)
		n, err := from.Read(buf)
		if n > 0 {
			shape, _, _ := c.proxy.now()
			wait := shape.Delay
			if shape.Jitter > 0 {
				c.mu.Lock()
				wait += time.Duration(c.src.below(int(shape.Jitter)))
				c.mu.Unlock()
			}
			if due := time.Now().Add(wait); due.After(last) {
				last = due
			}
			select {
			case flight <- piece{buf[:n], last}:
			case <-c.over:
				return errOver
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// write passes pieces on when they are due.
func (c *Conn) write(d Direction, to *net.TCPConn, flight <-chan piece) error {
	for {
		select {
		case p, ok := <-flight:
			if !ok {
				if err := c.open(); err != nil {
					return err
				}
				return to.CloseWrite()
			}
			if err := c.until(p.due); err != nil {
				return err
			}
			if done, err := c.pass(d, to, p.b); done || err != nil {
				if err == nil {
					for range flight { // thrown away
					}
				}
				return err
			}
		case <-c.over:
			return errOver
		}
	}
}

// pass writes bytes as shape and traps want it; done where nothing more passes.
func (c *Conn) pass(d Direction, to *net.TCPConn, b []byte) (done bool, err error) {
	for len(b) > 0 {
		if err := c.open(); err != nil {
			return false, err
		}
		shape, _, _ := c.proxy.now()
		n := len(b)
		if shape.Pieces > 0 {
			c.mu.Lock()
			n = min(n, 1+c.src.below(shape.Pieces))
			c.mu.Unlock()
		}
		if shape.Rate > 0 {
			n = min(n, max(shape.Rate/50, 1))
		}
		n, action := c.trap(d, b[:n])
		if err := c.put(d, to, b[:n]); err != nil {
			return false, err
		}
		b = b[n:]
		switch action {
		case Reset:
			return false, errOver
		case HalfClose:
			return true, to.CloseWrite()
		case Stall:
			<-c.over
			return false, errOver
		}
		if shape.Rate > 0 {
			if err := c.until(time.Now().Add(time.Duration(n) * time.Second / time.Duration(shape.Rate))); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// Spring sets a trap that springs when At more bytes of its direction have passed.
func (c *Conn) Spring(t Trap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t.At += c.passed[t.Direction]
	c.traps = append(c.traps[:len(c.traps):len(c.traps)], t)
}

// trap looks for one that springs within b: how many bytes pass before, and
// what then.
func (c *Conn) trap(d Direction, b []byte) (int, Action) {
	c.mu.Lock()
	at, traps := c.passed[d], c.traps
	c.mu.Unlock()
	for _, t := range traps {
		if t.Direction != d || t.At < at || t.At >= at+uint64(len(b)) {
			continue
		}
		if t.Action == Flip {
			b[t.At-at] ^= 1
			continue
		}
		return int(t.At - at), t.Action
	}
	return len(b), ""
}

func (c *Conn) put(d Direction, to *net.TCPConn, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	c.mu.Lock()
	if room := maxHead - len(c.head); d == Up && room > 0 {
		c.head = append(c.head, b[:min(room, len(b))]...)
	}
	c.passed[d] += uint64(len(b))
	c.mu.Unlock()
	if d == Up && c.proxy.filtered(c) {
		c.Reset()
		return errFiltered
	}
	if d == Up && c.second != nil {
		c.second.Write(b) // what becomes of it is the target's business
	}
	_, err := to.Write(b)
	return err
}

// open waits while there is a black hole.
func (c *Conn) open() error {
	for {
		_, hole, changed := c.proxy.now()
		if !hole {
			return nil
		}
		select {
		case <-changed:
		case <-c.over:
			return errOver
		}
	}
}

func (c *Conn) until(t time.Time) error {
	d := time.Until(t)
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.over:
		return errOver
	}
}
