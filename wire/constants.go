package wire

import (
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/trunk"
)

// Version is the protocol's version; Hello lists those a daemon speaks.
const Version = 1

// ALPN names. The edge tells links, trunks and lanes from the web by them and
// by the SNI of the first ClientHello.
const (
	ALPNLink  = "sallyport/1"
	ALPNTrunk = "sallyport-trunk/1"
	ALPNLane  = "sallyport-lane/1"
)

// The numbers of the protocol, in one table (docs/protocol.md repeats it).
const (
	// MaxMessage bounds one control message: the largest sensible one, a
	// register of several hundred tunnels, is below it.
	MaxMessage = 64 << 10
	// MaxLinkQueue bounds what waits to be written on a link; a peer that does
	// not read for that long is gone.
	MaxLinkQueue = 256 << 10
	// HelloTimeout is how long TLS and hello of a link may take together.
	HelloTimeout = 10 * time.Second
	// DirectTimeout is how long a direct handshake may take before another form is tried.
	DirectTimeout = 5 * time.Second
	// PingAfter is the silence after which a side pings.
	PingAfter = trunk.PingAfter
	// DeadAfter is the silence after which a peer is dead.
	DeadAfter = trunk.DeadAfter
	// ProbeTime is how long a connection has to show that it lives after a change of
	// this machine's network.
	ProbeTime = trunk.ProbeTime
	// TicketLife is how long a ticket may wait for its two ends.
	TicketLife = 15 * time.Second
	// MaxHalfJoinedSession and MaxHalfJoinedConnector bound tickets in waiting.
	MaxHalfJoinedSession   = 16
	MaxHalfJoinedConnector = 256
	// PeekTimeout and MaxPeek bound the reading of a first ClientHello.
	PeekTimeout = 5 * time.Second
	MaxPeek     = 16 << 10
	// GrantWait is how long a host holds an Open without grant, or a grant without Open.
	GrantWait = 10 * time.Second
	// MaxUngranted bounds the Opens of one trunk that wait for their grant.
	MaxUngranted = carrier.MaxOpening
	// MaxEarlyData is how much DATA may precede the Verdict.
	MaxEarlyData = envelope.EarlyWindow
	// OriginDialTimeout bounds the host's dial of the origin.
	OriginDialTimeout = 5 * time.Second
	// TrunkIdle closes a trunk that carries no stream.
	TrunkIdle = 5 * time.Minute
	// TrunkWithoutLink is how long a trunk outlives its host's link.
	TrunkWithoutLink = 30 * time.Second
	// CutDoneWait is how long the edge waits for a host's word that one stream is cut.
	CutDoneWait = 500 * time.Millisecond
	// WriteTimeout is yamux's ConnectionWriteTimeout: with less, a slow uplink
	// fails healthy sessions.
	WriteTimeout = trunk.WriteTimeout
	// NotSentLowAt bounds what the kernel holds unsent, so that a ping is not
	// stuck behind a buffer.
	NotSentLowAt = trunk.NotSentLowAt
	// LaneUnsent is the same on a lane.
	LaneUnsent = trunk.LaneUnsent
	// MaxLanes bounds the lanes of one trunk, MaxSessionLanes those of a session at
	// the edge: a person has few busy trunks at a time.
	MaxLanes        = 8
	MaxSessionLanes = 8 * MaxLanes
	// UserTimeout is TCP_USER_TIMEOUT on the legs of trunks and lanes.
	UserTimeout = 30 * time.Second
)
