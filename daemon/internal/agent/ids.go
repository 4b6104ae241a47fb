package agent

import (
	"crypto/rand"
	"encoding/base32"
)

var idEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID makes an id of 10 random characters behind its kind: 50 bits, which
// are enough for what one machine holds.
func newID(kind string) string {
	const length = 10
	var b [7]byte
	rand.Read(b[:])
	return kind + "_" + idEncoding.EncodeToString(b[:])[:length]
}
