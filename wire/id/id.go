// Package id holds the names that the protocol gives to streams, trunks, keys
// and tickets. Package wire gives them out under its own names.
package id

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"strings"
)

// Stream names one stream, end to end, for ever: 128 random bits.
type Stream [16]byte

// Trunk names one trunk: 128 random bits, made by the edge.
type Trunk [16]byte

// Trace ties the log lines of one stream at client, edge and host together.
type Trace [8]byte

// Key is the SHA-256 of a public key's SubjectPublicKeyInfo: what a daemon is
// known by. Name, dates and extensions of its certificate are ignored.
type Key [32]byte

// Label is the secret name of one side of a ticket: 128 random bits as 26
// characters of lower-case base32, usable as a DNS label after LabelPrefix.
type Label string

// LabelPrefix makes a ticket's SNI recognisable: "t" + label + "." + edge name.
const LabelPrefix = "t"

var labelEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewStream returns a random id.
func NewStream() (id Stream) { rand.Read(id[:]); return id }

// NewTrunk returns a random id.
func NewTrunk() (id Trunk) { rand.Read(id[:]); return id }

// NewTrace returns a random id.
func NewTrace() (id Trace) { rand.Read(id[:]); return id }

// NewLabel returns a random label.
func NewLabel() Label {
	var b [16]byte
	rand.Read(b[:])
	return Label(labelEncoding.EncodeToString(b[:]))
}

// KeyOf returns the id of a certificate's public key.
func KeyOf(cert *x509.Certificate) Key { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

func (id Stream) String() string { return hex.EncodeToString(id[:]) }
func (id Trunk) String() string  { return hex.EncodeToString(id[:]) }
func (id Trace) String() string  { return hex.EncodeToString(id[:]) }
func (id Key) String() string    { return hex.EncodeToString(id[:]) }

// IsZero says whether the id was never set.
func (id Stream) IsZero() bool { return id == Stream{} }

// IsZero says whether the id was never set.
func (id Trunk) IsZero() bool { return id == Trunk{} }

// IsZero says whether the id was never set.
func (id Key) IsZero() bool { return id == Key{} }

// MarshalText gives lower-case hex.
func (id Stream) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (id *Stream) UnmarshalText(b []byte) error { return decodeHex("stream id", id[:], b) }

// MarshalText gives lower-case hex.
func (id Trunk) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (id *Trunk) UnmarshalText(b []byte) error { return decodeHex("trunk id", id[:], b) }

// MarshalText gives lower-case hex.
func (id Trace) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (id *Trace) UnmarshalText(b []byte) error { return decodeHex("trace id", id[:], b) }

// MarshalText gives lower-case hex.
func (id Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText takes what MarshalText gives.
func (id *Key) UnmarshalText(b []byte) error { return decodeHex("key id", id[:], b) }

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
