package trunk

import (
	"time"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/policer"
)

// The numbers of a trunk (docs/protocol.md repeats them).
const (
	// PingAfter is the silence after which a side pings.
	PingAfter = 3 * time.Second
	// DeadAfter is the silence after which the other end is dead, unless TCP
	// still makes progress; then it is WriteTimeout.
	DeadAfter = 10 * time.Second
	// WriteTimeout is how long one frame may wait to be written: with less, a
	// slow uplink fails healthy streams. It is also how long the other end may
	// take to close its half of a stream that is over.
	WriteTimeout = 60 * time.Second
	// OpenWait is how long a carrier may stay without its first frame.
	OpenWait = 10 * time.Second
	// MaxOpening is how many streams of one trunk a client has waiting for their
	// Verdict at once. The host bears twice as many before it refuses, since
	// ends and openings of different streams may overtake each other.
	MaxOpening = 64
	// MaxStreams is how many streams a trunk carries at once.
	MaxStreams = 32 << 10
	// MaxRefused is how many streams that the host refused the client may leave
	// unclosed.
	MaxRefused = 1 << 10
	// TrunkWindows and ProcessWindows bound what the windows of one trunk and of
	// all take beyond envelope.InitialWindow a stream; ProcessReplay bounds the
	// same of what is kept for sending again.
	TrunkWindows   = 64 << 20
	ProcessWindows = 256 << 20
	ProcessReplay  = 256 << 20
	// OpenRate and OpenBurst pace a client; the host's policer allows more.
	OpenRate  = 8000
	OpenBurst = 4000

	// ackDelay is how long a small acknowledgement may wait for company.
	ackDelay = 20 * time.Millisecond
	// probeAfter is how often a local socket that is not read, because the other
	// end takes nothing, is asked whether it was reset.
	probeAfter = 200 * time.Millisecond
	// idleAfter is how long a stream is quiet before its buffers shrink.
	idleAfter = 2 * time.Second
	// yamuxWindow is twice the largest envelope window and more: yamux tells
	// the peer when half is used, and must never be what holds it back.
	yamuxWindow = 2*envelope.MaxWindow + 2<<20
	// smallFrame bounds frames while more than busyWriters streams write, so
	// that the queue in front of a small answer stays short.
	smallFrame  = 16 << 10
	busyWriters = 4
)

// Limits are what the policer of a trunk holds the other end to.
var Limits = policer.Limits{
	MaxFrame:   envelope.MaxWrite,
	MaxStreams: MaxStreams,
	MaxUnread:  TrunkWindows + envelope.MaxWindow,
	UnreadEach: 2 * envelope.InitialWindow,
	Opens:      policer.Rate{PerSecond: 10_000, Burst: 10_000},
	Pings:      policer.Rate{PerSecond: 2, Burst: 16},
	Control:    policer.Rate{PerSecond: 40_000, Burst: 40_000},
	Unknown:    policer.Rate{PerSecond: 50, Burst: 200},
	Grace:      10 * time.Second,
	SlowRate:   4 << 10,
}

var (
	processWindows = envelope.NewBudget(ProcessWindows, nil)
	processReplay  = envelope.NewBudget(ProcessReplay, nil)
)
