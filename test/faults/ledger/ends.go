package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Dial opens a connection through what is tested.
type Dial func(ctx context.Context) (net.Conn, error)

// Client plays plans. Its zero value is ready.
type Client struct{ book book }

// Entries are what this end has seen so far.
func (c *Client) Entries() []Entry { return c.book.list() }

// Run plays one plan to its end, which patience bounds. Its error is that of the
// connection; what came is in the entries.
func (c *Client) Run(ctx context.Context, dial Dial, plan Plan, patience time.Duration) error {
	raw, err := dial(ctx)
	if err != nil {
		return fmt.Errorf("stream %d: %w", plan.Stream, err)
	}
	defer raw.Close()
	nc, ok := raw.(conn)
	if !ok {
		return fmt.Errorf("stream %d: %T has no half-close", plan.Stream, raw)
	}
	stop := guard(ctx, nc, patience)
	defer stop()
	nc.SetLinger(0) // whatever ends it before its time is to be a reset
	p := &player{plan: plan, conn: nc, book: &c.book, src: source(plan.Seed ^ uint64(plan.Stream)), ctx: ctx}
	if err := p.client(); err != nil || plan.Kind.resets(Up) {
		return err
	}
	return nc.SetLinger(-1)
}

// RunAll plays plans at once and waits for all.
func (c *Client) RunAll(ctx context.Context, dial Dial, plans []Plan, patience time.Duration) error {
	errs := make([]error, len(plans))
	var wg sync.WaitGroup
	for i, p := range plans {
		wg.Go(func() { errs[i] = c.Run(ctx, dial, p, patience) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// guard ends a connection's waiting when ctx ends or patience does.
func guard(ctx context.Context, c net.Conn, patience time.Duration) (stop func() bool) {
	c.SetDeadline(time.Now().Add(patience))
	return context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })
}

func (p *player) client() error {
	switch p.plan.Kind {
	case PingPong:
		if _, err := p.conn.Write(p.plan.header()); err != nil {
			return err
		}
		return p.volley(true)
	case Reset:
		return p.reset(Up, p.plan.Up, p.plan.header())
	case OriginReset:
		if _, err := p.conn.Write(p.plan.header()); err != nil {
			return err
		}
		p.receive(Down, p.plan.Down) // how it ended is in its entry
		return nil
	}
	p.sent = make(chan error, 1)
	go func() { p.sent <- p.up() }() // ends with the connection
	err := p.receive(Down, p.plan.Down)
	return errors.Join(err, <-p.sent)
}

func (p *player) up() error {
	if err := p.send(Up, p.plan.Up, p.plan.header()); err != nil {
		return err
	}
	return p.conn.CloseWrite()
}

// Server plays the other end of every plan. Its zero value is ready.
type Server struct {
	// Patience bounds one connection; 0 is ten minutes.
	Patience time.Duration
	book     book
}

// Entries are what this end has seen so far.
func (s *Server) Entries() []Entry { return s.book.list() }

// Knows says whether a stream has come to this end.
func (s *Server) Knows(stream uint32) bool { return s.book.knows(stream) }

// Forget drops the entries of directions that have ended.
func (s *Server) Forget() { s.book.forget() }

// Serve takes connections until ctx ends, and then joins them.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		raw, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		wg.Go(func() { s.handle(ctx, raw) })
	}
}

func (s *Server) handle(ctx context.Context, raw net.Conn) {
	defer raw.Close()
	patience := s.Patience
	if patience == 0 {
		patience = 10 * time.Minute
	}
	nc, ok := raw.(conn)
	if !ok {
		return
	}
	stop := guard(ctx, nc, patience)
	defer stop()
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(raw, head); err != nil {
		return
	}
	plan, err := parseHeader(head)
	if err != nil {
		return
	}
	s.book.begin(plan.Stream)
	p := &player{plan: plan, conn: nc, book: &s.book, src: source(plan.Seed ^ ^uint64(plan.Stream)), ctx: ctx}
	nc.SetLinger(0)
	if p.server() == nil && !plan.Kind.resets(Down) {
		nc.SetLinger(-1)
	}
}

func (p *player) server() error {
	switch p.plan.Kind {
	case PingPong:
		return p.volley(false)
	case Reset:
		p.receive(Up, p.plan.Up) // how it ended is in its entry
		return nil
	case OriginReset:
		return p.reset(Down, p.plan.Down, nil)
	case HalfClosed:
		if err := p.receive(Up, p.plan.Up); err != nil {
			return err
		}
		return p.down()
	}
	p.sent = make(chan error, 1)
	go func() { p.sent <- p.down() }() // ends with the connection
	err := p.receive(Up, p.plan.Up)
	return errors.Join(err, <-p.sent)
}

func (p *player) down() error {
	if err := p.send(Down, p.plan.Down, nil); err != nil {
		return err
	}
	return p.conn.CloseWrite()
}
