package carrier

import (
	"time"

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
}

// Channel is what a carrier has of a road to write to: a yamux stream, or a lane as
// a whole.
type Channel interface {
	// Put writes whole frames; in front of them are envelope.Prefix bytes of room.
	// With hold they wait for what is certain to follow.
	Put(frames []byte, hold bool) error
	// CloseWrite says that nothing more is written. It may wait for the connection.
	CloseWrite() error
}

// Feed takes what comes on a channel, one call at a time. It must not wait: all that
// comes on the connection waits for it.
type Feed interface {
	// Room gives where up to n bytes that come next are to be put, nil where Feed is
	// to be given them. Filled ends it, and says how many were.
	Room(n int) []byte
	Filled(n int)
	// Feed takes bytes, which are the caller's again when it returns.
	Feed(b []byte)
	// End says that nothing more comes: io.EOF is the other end's word that it has
	// closed. It may be called from any goroutine, also after the end.
	End(err error)
}

// Rider is what has a carrier, and takes what comes on it. The line calls it without
// any lock held.
type Rider interface {
	Feed
	// Flush writes what is to be written. With wait it returns when no other
	// writes to the carrier.
	Flush(wait bool)
	// Late has written what has waited for company since Soon.
	Late()
	// Repeat has the last acknowledgement written once more: a sign of life.
	Repeat()
	// Cut ends what the rider brings, for the reason that the line ends for.
	Cut(r *reason.Reason)
	// Overdue is called when the time that Await allowed may be over: Passed says.
	Overdue()
}

// Carrier is one channel of a line, and who rides on it. Its zero value is of none; Init comes
// first. Its rider guards it, but for what says otherwise.
type Carrier struct {
	line    *Line
	rider   Rider
	channel Channel   // nil until it is opened (client)
	due     time.Time // Await's, the zero time where it waits for nothing
	timer   *time.Timer
	gone    bool // nothing comes any more

	// guarded by line.mu
	urged bool // in line.urgent
	waits bool // in line.late
}

// Init says whose carrier this is.
func (c *Carrier) Init(l *Line, r Rider) { c.line, c.rider = l, r }

// Use gives it the channel, once.
func (c *Carrier) Use(ch Channel) { c.channel = ch }

// Opened says that it has its channel.
func (c *Carrier) Opened() bool { return c.channel != nil }

// Put writes whole frames; in front of them are envelope.Prefix bytes of room.
// With hold they wait for what is certain to follow.
func (c *Carrier) Put(frames []byte, hold bool) error {
	return c.channel.Put(frames, hold)
}

// Await has the rider's Overdue called after a time, once; 0: not any more. It replaces
// the last Await.
func (c *Carrier) Await(wait time.Duration) {
	if c.timer != nil {
		c.timer.Stop()
	}
	c.due = time.Time{}
	if wait > 0 && !c.gone {
		c.due = time.Now().Add(wait)
		c.timer = time.AfterFunc(wait, c.rider.Overdue)
	}
}

// Gone says that nothing comes any more: there is nothing to await.
func (c *Carrier) Gone() {
	c.Await(0)
	c.gone = true
}

// Passed says whether what Await allowed is over.
func (c *Carrier) Passed() bool { return !c.due.IsZero() && !time.Now().Before(c.due) }

// Close says that nothing more is written to it. It may wait for the connection.
func (c *Carrier) Close() { c.channel.CloseWrite() }

// Retire closes a carrier that its rider has left, where the line lives on. It
// does not wait.
func (c *Carrier) Retire() {
	if c.channel != nil && c.line.Alive() {
		c.Await(CloseWait)
		c.line.Spawn(c.Close) // ends with the connection
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
