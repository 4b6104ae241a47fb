// Package seal keeps secrets of the daemon unreadable and unchangeable at rest:
// what it sealed opens only with the key, and only at the place it was sealed
// for.
//
// Shapes: a Box seals with XChaCha20-Poly1305 under a key of 32 bytes, which
// OpenKeyFile keeps in a file of mode 0600. Bucket and key of the row are
// authenticated along, so that a row moved elsewhere does not open.
//
// The envelope, version 1:
//
//	0        1             5                29
//	┌────────┬─────────────┬────────────────┬─────────────────────────────┐
//	│ 1      │ id of key   │ nonce (random) │ ciphertext and tag          │
//	└────────┴─────────────┴────────────────┴─────────────────────────────┘
//
// The id of the key is no secret: it tells "sealed with another key" from
// "damaged". Another way to keep the key (DPAPI, TPM) makes another key, not
// another envelope.
//
// Errors: ErrDamaged and ErrOtherKey of Open; ErrKeyFile where the key file is
// not what we wrote.
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the length of a sealing key in bytes.
const KeySize = chacha20poly1305.KeySize

const (
	version    = 1
	keyIDSize  = 4
	headerSize = 1 + keyIDSize + chacha20poly1305.NonceSizeX
)

// Errors of Box.Open.
var (
	// ErrDamaged: what is to be opened is not what was sealed for this place.
	ErrDamaged = errors.New("sealed value is damaged")
	// ErrOtherKey: it was sealed with another key.
	ErrOtherKey = errors.New("sealed value belongs to another key")
)

// Box seals and opens. It may be used by many goroutines.
type Box struct {
	aead cipher.AEAD
	id   [keyIDSize]byte
}

// New makes a Box of a key of KeySize bytes.
func New(key []byte) (*Box, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	b := &Box{aead: aead}
	sum := sha256.Sum256(append([]byte("sallyport seal key id\x00"), key...))
	copy(b.id[:], sum[:])
	return b, nil
}

// Seal returns the envelope of plain for the row (bucket, key).
func (b *Box) Seal(bucket, key string, plain []byte) []byte {
	out := make([]byte, headerSize, headerSize+len(plain)+chacha20poly1305.Overhead)
	out[0] = version
	copy(out[1:], b.id[:])
	nonce := out[1+keyIDSize:]
	rand.Read(nonce)
	return b.aead.Seal(out, nonce, plain, b.place(bucket, key))
}

// Open returns what Seal was given, or ErrDamaged or ErrOtherKey.
func (b *Box) Open(bucket, key string, sealed []byte) ([]byte, error) {
	if len(sealed) < headerSize+chacha20poly1305.Overhead || sealed[0] != version {
		return nil, ErrDamaged
	}
	if [keyIDSize]byte(sealed[1:]) != b.id {
		return nil, ErrOtherKey
	}
	plain, err := b.aead.Open(nil, sealed[1+keyIDSize:headerSize], sealed[headerSize:], b.place(bucket, key))
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// place is the additional data: version, key id, and both names with their
// lengths, so that no two places look alike.
func (b *Box) place(bucket, key string) []byte {
	ad := make([]byte, 0, 1+keyIDSize+8+len(bucket)+len(key))
	ad = append(ad, version)
	ad = append(ad, b.id[:]...)
	ad = binary.BigEndian.AppendUint32(ad, uint32(len(bucket)))
	ad = append(ad, bucket...)
	ad = binary.BigEndian.AppendUint32(ad, uint32(len(key)))
	return append(ad, key...)
}
