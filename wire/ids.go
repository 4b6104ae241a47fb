package wire

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// StreamID names one stream, end to end, for ever: 128 random bits.
type StreamID [16]byte

// TrunkID names one trunk: 128 random bits, made by the edge.
type TrunkID [16]byte

// TraceID ties the log lines of one stream at client, edge and host together.
type TraceID [8]byte

// KeyID is the SHA-256 of a public key's SubjectPublicKeyInfo: what a daemon is
// known by. Name, dates and extensions of its certificate are ignored.
type KeyID [32]byte

// Label is the secret name of one side of a ticket: 128 random bits as 26
// characters of lower-case base32, usable as a DNS label after LabelPrefix.
type Label string

// LabelPrefix makes a ticket's SNI recognisable: "t" + label + "." + edge name.
const LabelPrefix = "t"

var labelEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewStreamID returns a random id.
func NewStreamID() (id StreamID) { rand.Read(id[:]); return id }

// NewTrunkID returns a random id.
func NewTrunkID() (id TrunkID) { rand.Read(id[:]); return id }

// NewTraceID returns a random id.
func NewTraceID() (id TraceID) { rand.Read(id[:]); return id }

// NewLabel returns a random label.
func NewLabel() Label {
	var b [16]byte
	rand.Read(b[:])
	return Label(labelEncoding.EncodeToString(b[:]))
}

// KeyIDOf returns the id of a certificate's public key.
func KeyIDOf(cert *x509.Certificate) KeyID { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

func (id StreamID) String() string { return hex.EncodeToString(id[:]) }
func (id TrunkID) String() string  { return hex.EncodeToString(id[:]) }
func (id TraceID) String() string  { return hex.EncodeToString(id[:]) }
func (id KeyID) String() string    { return hex.EncodeToString(id[:]) }

// IsZero says whether the id was never set.
func (id StreamID) IsZero() bool { return id == StreamID{} }

// IsZero says whether the id was never set.
func (id TrunkID) IsZero() bool { return id == TrunkID{} }

// IsZero says whether the id was never set.
func (id KeyID) IsZero() bool { return id == KeyID{} }

// MarshalText gives lower-case hex.
func (id StreamID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (id *StreamID) UnmarshalText(b []byte) error { return decodeHex("stream id", id[:], b) }

// MarshalText gives lower-case hex.
func (id TrunkID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (id *TrunkID) UnmarshalText(b []byte) error { return decodeHex("trunk id", id[:], b) }

// MarshalText gives lower-case hex.
func (id TraceID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (id *TraceID) UnmarshalText(b []byte) error { return decodeHex("trace id", id[:], b) }

// MarshalText gives lower-case hex.
func (id KeyID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (id *KeyID) UnmarshalText(b []byte) error { return decodeHex("key id", id[:], b) }

func decodeHex(what string, dst, src []byte) error {
	if len(src) != hex.EncodedLen(len(dst)) {
		return fmt.Errorf("%s: %d characters, want %d", what, len(src), hex.EncodedLen(len(dst)))
	}
	if _, err := hex.Decode(dst, src); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// ServerName is the SNI by which the edge recognises one side of a ticket.
// edgeName is the edge's name without a port.
func (l Label) ServerName(edgeName string) string {
	return LabelPrefix + string(l) + "." + edgeName
}

// LabelOf takes a ticket's label out of an SNI; ok is false for any other name.
func LabelOf(serverName string) (l Label, ok bool) {
	const length = 26 // 128 bits in base32
	first, rest, found := strings.Cut(serverName, ".")
	if !found || rest == "" || len(first) != len(LabelPrefix)+length || first[:len(LabelPrefix)] != LabelPrefix {
		return "", false
	}
	for _, c := range first[len(LabelPrefix):] {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return "", false
		}
	}
	return Label(first[len(LabelPrefix):]), true
}
