package carrier

import "time"

// The numbers of a line (docs/protocol.md repeats them).
const (
	// MaxOpening is how many streams of one trunk a client has waiting for their
	// Verdict at once. The host bears twice as many before it refuses, since
	// ends and openings of different streams may overtake each other.
	MaxOpening = 64
	// MaxRefused is how many streams that the host refused the client may leave
	// unclosed.
	MaxRefused = 1 << 10
	// GivenUpRate and GivenUpBurst are how many streams the client may reset before their
	// Verdict, a second and at once, beyond all that applications do.
	GivenUpRate  = 100
	GivenUpBurst = 1_500
	// refusedRate and refusedBurst are how many streams a second may end without having been
	// admitted before the next openings wait. Applications that try again and again are
	// slower; a client that opens and resets as fast as it can would take the host from others.
	refusedRate  = 500
	refusedBurst = 256
	// VainRate and VainBurst are how many streams a second may come to nothing, since one
	// was admitted, before the client's next opening waits: a program that tries again
	// without a pause is neither to reach the limits of host and edge nor to keep its
	// person's other streams from them.
	VainRate  = 20
	VainBurst = 200
	// CloseWait is how long the other end may take to close its half of a
	// stream that is over.
	CloseWait = 60 * time.Second

	// OpenWait is how long a carrier may stay without its first frame.
	OpenWait = 10 * time.Second

	// leaveWait is how long a line that is closed may take to tell its streams.
	leaveWait = 250 * time.Millisecond
	// AckWait is how long a small acknowledgement may wait for company.
	AckWait = 20 * time.Millisecond
	// WordWait is how long a Verdict may wait for the origin's answer, and the
	// acknowledgement of an end for the other end: where they come within that, as
	// on one network, they go as one message.
	WordWait = time.Millisecond
)
