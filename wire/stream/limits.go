package stream

import (
	"time"

	"github.com/sallyport/sallyport/wire/envelope"
)

// The numbers of streams (docs/protocol.md repeats them).
const (
	// OpenWait is how long a carrier may stay without its first frame.
	OpenWait = 10 * time.Second
	// CloseWait is how long the other end may take to close its half of a
	// stream that is over.
	CloseWait = 60 * time.Second
	// MaxOpening is how many streams of one trunk a client has waiting for their
	// Verdict at once. The host bears twice as many before it refuses, since
	// ends and openings of different streams may overtake each other.
	MaxOpening = 64
	// MaxRefused is how many streams that the host refused the client may leave
	// unclosed.
	MaxRefused = 1 << 10
	// TrunkWindows and ProcessWindows bound what the windows of one trunk and of
	// all take beyond envelope.InitialWindow a stream; ProcessReplay bounds the
	// same of what is kept for sending again.
	TrunkWindows   = 64 << 20
	ProcessWindows = 256 << 20
	ProcessReplay  = 256 << 20

	// ackDelay is how long a small acknowledgement may wait for company.
	ackDelay = 20 * time.Millisecond
	// idleAfter is how long a stream is quiet before its buffers shrink.
	idleAfter = 2 * time.Second
	// bulkFrame is the payload from which a frame counts as bulk.
	bulkFrame = 4 << 10
)

var (
	processWindows = envelope.NewBudget(ProcessWindows, nil)
	processReplay  = envelope.NewBudget(ProcessReplay, nil)
)
