package carrier

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/reason"
)

// Road is the connection under a line.
type Road interface {
	// Failure is what broke the connection, nil while it lives; Close ends it.
	Failure() error
	Close() error
	// Flush returns when what was given to it before is written.
	Flush()
	// RTT is the shortest round trip measured lately, 0 while unknown.
	RTT() time.Duration
	// MaxPayload is the most that one frame should carry.
	MaxPayload() int
	// LastRead is when bytes came last, Age the present, both since the start.
	LastRead() time.Duration
	Age(now time.Time) time.Duration
}

// Channel is what a carrier has of a road: a yamux stream, or a lane as a whole.
type Channel interface {
	// Read takes bytes of the other end. io.EOF is its word that it has closed,
	// ErrLate the end of what Await allowed.
	Read(p []byte) (int, error)
	// Took is told how much of what was read has left the channel's buffers.
	Took(n int)
	// Put writes whole frames; in front of them are envelope.Prefix bytes of room.
	// With hold they wait for what is certain to follow.
	Put(frames []byte, hold bool) error
	// Await bounds how long it may stay without a byte; 0: for ever.
	Await(wait time.Duration)
	// CloseWrite says that nothing more is written. It may wait for the connection.
	CloseWrite() error
	// Shrink gives buffers back.
	Shrink()
}

// ErrLate: nothing came in the time that Await allowed.
var ErrLate = errors.New("nothing came in time")

// Rider is what has a carrier. The line calls it without any lock held.
type Rider interface {
	// Run reads the carrier from its opening to its end.
	Run()
	// Flush writes what is to be written. With wait it returns when no other
	// writes to the carrier.
	Flush(wait bool)
	// Late has written what has waited for company since Soon.
	Late()
	// Repeat has the last acknowledgement written once more: a sign of life.
	Repeat()
	// Cut ends what the rider brings, for the reason that the line ends for.
	Cut(r *reason.Reason)
}

// Carrier is one channel of a line, and who rides on it. Its zero value is of none; Init comes
// first. Its rider guards it, but for what says otherwise.
type Carrier struct {
	line    *Line
	rider   Rider
	channel Channel // nil until it is opened (client)

	lastBulk atomic.Int64 // when bulk came last, as framer.LastRead

	// guarded by line.mu
	listed bool // in line.grown
	urged  bool // in line.urgent
	waits  bool // in line.late
}

// Init says whose carrier this is.
func (c *Carrier) Init(l *Line, r Rider) { c.line, c.rider = l, r }

// Use gives it the channel, once.
func (c *Carrier) Use(ch Channel) { c.channel = ch }

// Opened says that it has its channel.
func (c *Carrier) Opened() bool { return c.channel != nil }

// Reader takes frames from the carrier.
func (c *Carrier) Reader() envelope.Reader {
	return envelope.NewReader(c.channel, c.channel.Took)
}

// Put writes whole frames; in front of them are envelope.Prefix bytes of room.
// With hold they wait for what is certain to follow.
func (c *Carrier) Put(frames []byte, hold bool) error {
	return c.channel.Put(frames, hold)
}

// Await bounds how long the carrier may stay without a byte; 0: for ever.
func (c *Carrier) Await(wait time.Duration) { c.channel.Await(wait) }

// Close says that nothing more is written to it. It may wait for the connection.
func (c *Carrier) Close() { c.channel.CloseWrite() }

// Retire closes a carrier that its rider has left, where the line lives on. It
// does not wait.
func (c *Carrier) Retire() {
	if c.channel != nil && c.line.Alive() {
		c.line.Spawn(func() { // ends with the connection
			c.Await(CloseWait)
			c.Close()
		})
	}
}

// RTT is the shortest round trip measured lately, 0 while unknown.
func (c *Carrier) RTT() time.Duration { return c.line.cfg.Road.RTT() }

// MaxPayload is the most that one frame should carry.
func (c *Carrier) MaxPayload() int { return c.line.cfg.Road.MaxPayload() }

// Urge has the rider's Flush called. It does not wait.
func (c *Carrier) Urge() {
	m := c.line
	m.mu.Lock()
	if !c.urged {
		c.urged = true
		m.urgent = append(m.urgent, c)
	}
	m.mu.Unlock()
	m.wakeUp()
}

// Soon has the rider's Late called within a time.
func (c *Carrier) Soon(wait time.Duration) {
	m := c.line
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ctx.Err() != nil {
		return
	}
	runs := len(m.late) > 0
	if !c.waits {
		c.waits = true
		m.late = append(m.late, c)
	}
	due := time.Now().Add(wait)
	switch {
	case runs && !due.Before(m.lateAt):
		return
	case m.lateTimer == nil:
		m.lateTimer = time.AfterFunc(wait, m.lateNow)
	default:
		m.lateTimer.Reset(wait)
	}
	m.lateAt = due
}

// NoteRead is told of a frame of n bytes: one of bulk makes the carrier's buffers
// grow.
func (c *Carrier) NoteRead(n int) {
	m := c.line
	if n < bulkFrame || c.lastBulk.Swap(int64(m.cfg.Road.LastRead())) != 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.listed {
		c.listed = true
		m.grown = append(m.grown, c)
	}
}

// Listed says whether the carrier is to be shrunk once it is quiet.
func (c *Carrier) Listed() bool {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	return c.listed
}
