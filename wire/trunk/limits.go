package trunk

import (
	"time"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/framer"
	"github.com/sallyport/sallyport/wire/policer"
)

// The numbers of a trunk (docs/protocol.md repeats them).
const (
	// PingAfter is the silence after which a side pings.
	PingAfter = 3 * time.Second
	// DeadAfter is the silence after which the other end is dead, unless TCP
	// still makes progress; then it is WriteTimeout.
	DeadAfter = 10 * time.Second
	// WriteTimeout is how long one write may take: with less, a slow uplink
	// fails healthy streams.
	WriteTimeout = 60 * time.Second
	// NotSentLowAt bounds what the kernel holds unsent, so that a ping is not
	// stuck behind a buffer; on a slow carrier it holds less.
	NotSentLowAt = 128 << 10
	// LaneUnsent is the same on a lane, where nothing waits behind it: with 128 KiB a
	// stream on a path of 50 ms and 0.1 % loss reaches 0.9 of a plain connection,
	// with this all of it.
	LaneUnsent = 4 << 20
	// MaxStreams is how many streams a trunk carries at once.
	MaxStreams = 32 << 10
	// OpenRate and OpenBurst pace a client; the host's policer allows more.
	OpenRate  = 8000
	OpenBurst = 4000
	// YamuxWindow is yamux's window of each stream, of which the framer keeps half open.
	YamuxWindow = framer.Window
)

// Limits are what the policer of a trunk holds the other end to.
var Limits = policer.Limits{
	MaxFrame:   envelope.MaxWrite,
	MaxStreams: MaxStreams,
	Opens:      policer.Rate{PerSecond: 10_000, Burst: 10_000},
	Pings:      policer.Rate{PerSecond: 2, Burst: 16},
	Control:    policer.Rate{PerSecond: 40_000, Burst: 40_000},
	Unknown:    policer.Rate{PerSecond: 50, Burst: 200},
}
