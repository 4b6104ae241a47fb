// Package impair is a TCP proxy that spoils what passes through it: delay, rate,
// pieces, stalls, resets and half-closes at a byte, black holes, cuts, doubled
// connections. All that is left to chance comes from a seed.
//
// Shapes: a Proxy listens on loopback and dials its target. A Shape holds for
// all bytes from when it is set. A Trap springs on a connection at a byte. Cut,
// Hole and Refuse are switches; Heal takes them all back.
//
// Concurrency: New listens and starts nothing; Run serves and joins what it
// started; all else may be called from any goroutine.
package impair

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"time"
)

// Direction of bytes through the proxy.
type Direction uint8

const (
	// Up is from who dialled the proxy to the target.
	Up Direction = iota
	// Down is the other way.
	Down
)

// Shape is how bytes pass. Its zero value changes nothing.
type Shape struct {
	// Delay is added to each byte's way; Jitter is the most that chance adds,
	// without changing the order.
	Delay, Jitter time.Duration
	// Rate is bytes per second and direction of a connection; 0 is no limit.
	Rate int
	// Pieces is the largest write to the other side; 0 is no limit.
	Pieces int
}

// Action is what a Trap does.
type Action string

const (
	// Stall forwards nothing more in that direction, and keeps the connection.
	Stall Action = "stall"
	// Reset ends the connection with a reset on both sides.
	Reset Action = "reset"
	// HalfClose passes a FIN on, and throws away what still comes.
	HalfClose Action = "half-close"
	// Flip turns one bit of the byte.
	Flip Action = "flip"
)

// Trap springs once, when byte At of a direction is due.
type Trap struct {
	Direction Direction
	At        uint64
	Action    Action
}

// Config is what a Proxy needs. Target is required.
type Config struct {
	// Target is the address that connections go to.
	Target string
	// Seed decides what chance does; the same for the same seed and connection.
	Seed uint64
	// Inside runs what opens a connection to the target, such as in another network
	// namespace; nil: here.
	Inside func(func() error) error
}

// Proxy is one listener with its connections.
type Proxy struct {
	cfg      Config
	listener net.Listener
	wg       sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a switch or shape changes
	target  string
	shape   Shape
	hole    bool
	refuse  bool
	double  bool
	filter  func(*Conn) bool
	traps   func(number int) []Trap
	conns   []*Conn
	count   int
}

// New listens on a loopback port.
func New(cfg Config) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &Proxy{cfg: cfg, listener: l, changed: make(chan struct{}), target: cfg.Target}, nil
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Run serves until ctx ends; it resets what is left and joins it.
func (p *Proxy) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer p.wg.Wait()
	defer p.Cut(nil)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { p.listener.Close() })
	defer stop()
	for {
		raw, err := p.listener.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		p.wg.Go(func() { p.take(ctx, raw.(*net.TCPConn)) })
	}
}

func (p *Proxy) take(ctx context.Context, down *net.TCPConn) {
	p.mu.Lock()
	refuse, double, number, target := p.refuse, p.double, p.count, p.target
	p.count++
	var traps []Trap
	if p.traps != nil {
		traps = p.traps(number)
	}
	p.mu.Unlock()
	if refuse {
		abort(down)
		return
	}
	c := &Conn{Number: number, proxy: p, down: down, traps: traps, over: make(chan struct{}), src: source(p.cfg.Seed<<20 + uint64(number))}
	var err error
	if c.up, err = p.dial(ctx, target); err != nil {
		abort(down)
		return
	}
	if double {
		if c.second, err = p.dial(ctx, target); err == nil {
			p.wg.Go(func() { drain(c.second) }) // ends with the connection
		}
	}
	p.mu.Lock()
	p.conns = append(p.conns, c)
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, c.Reset)
	defer stop()
	c.run()
	p.mu.Lock()
	p.conns = slices.DeleteFunc(p.conns, func(x *Conn) bool { return x == c })
	p.mu.Unlock()
}

func (p *Proxy) dial(ctx context.Context, target string) (c *net.TCPConn, err error) {
	open := func() error {
		raw, err := new(net.Dialer).DialContext(ctx, "tcp", target)
		if err == nil {
			c = raw.(*net.TCPConn)
		}
		return err
	}
	if p.cfg.Inside == nil {
		err = open()
	} else {
		err = p.cfg.Inside(open)
	}
	return c, err
}

// change does f under the lock and wakes whoever waits for a change.
func (p *Proxy) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// Target is where connections to come go to.
func (p *Proxy) Target(addr string) { p.change(func() { p.target = addr }) }

// Set gives the shape of what passes from now on.
func (p *Proxy) Set(s Shape) { p.change(func() { p.shape = s }) }

// Traps sets the traps of connections to come, by their number from 0; nil
// takes them away.
func (p *Proxy) Traps(f func(number int) []Trap) { p.change(func() { p.traps = f }) }

// Hole makes a black hole: nothing passes, nothing ends; new connections are
// taken and hear nothing.
func (p *Proxy) Hole(on bool) { p.change(func() { p.hole = on }) }

// Refuse resets connections to come.
func (p *Proxy) Refuse(on bool) { p.change(func() { p.refuse = on }) }

// Double sends what comes on connections to come to the target a second time,
// on a connection of its own whose answers are thrown away.
func (p *Proxy) Double(on bool) { p.change(func() { p.double = on }) }

// Filter resets each connection of which match says yes once it has sent
// something, as a middlebox does that looks into the ClientHello; nil: none.
func (p *Proxy) Filter(match func(*Conn) bool) { p.change(func() { p.filter = match }) }

func (p *Proxy) filtered(c *Conn) bool {
	p.mu.Lock()
	match := p.filter
	p.mu.Unlock()
	return match != nil && match(c)
}

// Heal takes every shape, trap and switch back. What was cut stays cut.
func (p *Proxy) Heal() {
	p.change(func() {
		p.shape, p.traps, p.hole, p.refuse, p.double, p.filter = Shape{}, nil, false, false, false, nil
	})
}

// Cut resets the connections of which match says yes, nil: all. It returns how
// many.
func (p *Proxy) Cut(match func(*Conn) bool) int {
	n := 0
	for _, c := range p.Conns() {
		if match == nil || match(c) {
			c.Reset()
			n++
		}
	}
	return n
}

// Conns are the connections that live.
func (p *Proxy) Conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.conns)
}

// Count is how many connections were taken so far.
func (p *Proxy) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.count
}

func (p *Proxy) now() (Shape, bool, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shape, p.hole, p.changed
}

func abort(c *net.TCPConn) {
	c.SetLinger(0)
	c.Close()
}

func drain(c *net.TCPConn) {
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

var errOver = errors.New("connection over")

// source is a small generator, the same in every run.
type source uint64

func (s *source) below(n int) int {
	*s += 0x9e3779b97f4a7c15
	x := uint64(*s)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return int((x ^ x>>31) % uint64(n))
}
