package wire

import (
	"crypto/x509"

	"github.com/sallyport/sallyport/wire/id"
)

// The names of things. Ids print and travel in JSON as lower-case hex.
type (
	// StreamID names one stream, end to end, for ever: 128 random bits.
	StreamID = id.Stream
	// TrunkID names one trunk: 128 random bits, made by the edge.
	TrunkID = id.Trunk
	// TraceID ties the log lines of one stream at client, edge and host together.
	TraceID = id.Trace
	// KeyID is the SHA-256 of a public key's SubjectPublicKeyInfo: what a daemon
	// is known by. Name, dates and extensions of its certificate are ignored.
	KeyID = id.Key
	// Label is the secret name of one side of a ticket: 128 random bits as 26
	// characters of lower-case base32, usable as a DNS label after LabelPrefix.
	Label = id.Label
)

// LabelPrefix makes a ticket's SNI recognisable: "t" + label + "." + edge name.
const LabelPrefix = id.LabelPrefix

// NewStreamID returns a random id.
func NewStreamID() StreamID { return id.NewStream() }

// NewTrunkID returns a random id.
func NewTrunkID() TrunkID { return id.NewTrunk() }

// NewTraceID returns a random id.
func NewTraceID() TraceID { return id.NewTrace() }

// NewLabel returns a random label.
func NewLabel() Label { return id.NewLabel() }

// KeyIDOf returns the id of a certificate's public key.
func KeyIDOf(cert *x509.Certificate) KeyID { return id.KeyOf(cert) }

// LabelOf takes a ticket's label out of an SNI; ok is false for any other name.
func LabelOf(serverName string) (l Label, ok bool) { return id.LabelOf(serverName) }
