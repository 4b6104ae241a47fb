// Package record is how the store's file holds one key, or one change of a key:
// a version byte, numbers as uvarints, bytes with their length, and the CRC-32C
// of where the record stands and of itself.
//
// Errors: whatever does not read back as it was written is ErrDamaged.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrDamaged: the record does not read back as it was written.
var ErrDamaged = errors.New("database is damaged")

// KV is one key with its value and its place in history.
type KV struct {
	Key   string
	Value []byte
	// CreateRevision is the revision at which the key was made; a deleted key
	// that is put again gets a new one.
	CreateRevision int64
	// ModRevision is the revision of the last put.
	ModRevision int64
	// Version counts the puts since the key was made, from 1.
	Version int64
	// Lease is the lease that the key lives under, 0 without one.
	Lease LeaseID
}

// LeaseID names a lease; 0 is none.
type LeaseID int64

// version is the first byte of every record; another one is not ours.
const version = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Change is a record of history: what happened to a key, and what it was before.
type Change struct {
	// Delete is true for a delete; KV then holds key and revision only.
	Delete bool
	KV     KV
	// Before is nil where the key did not exist.
	Before *KV
}

// EncodeKV gives the record of a key.
func EncodeKV(kv KV) []byte {
	return seal([]byte(kv.Key), appendKV([]byte{version}, kv))
}

// DecodeKV takes what EncodeKV gave for this key.
func DecodeKV(key, record []byte) (KV, error) {
	r, err := unseal(key, record)
	if err != nil {
		return KV{}, err
	}
	kv := r.kv(string(key))
	return kv, r.end(key)
}

const (
	changeDelete byte = iota
	changePut
)

// EncodeChange gives a record of history. It is sealed with the history key, so that a record in the wrong place
// is noticed.
func EncodeChange(at []byte, c Change) []byte {
	kind := changePut
	if c.Delete {
		kind = changeDelete
	}
	b := appendBytes([]byte{version, kind}, []byte(c.KV.Key))
	b = appendKV(b, c.KV)
	if c.Before == nil {
		return seal(at, append(b, 0))
	}
	return seal(at, appendKV(append(b, 1), *c.Before))
}

// DecodeChange takes what EncodeChange gave for this history key.
func DecodeChange(at, record []byte) (Change, error) {
	r, err := unseal(at, record)
	if err != nil {
		return Change{}, err
	}
	var c Change
	switch r.byte() {
	case changePut:
	case changeDelete:
		c.Delete = true
	default:
		r.bad = true
	}
	key := string(r.bytes())
	c.KV = r.kv(key)
	switch r.byte() {
	case 0:
	case 1:
		before := r.kv(key)
		c.Before = &before
	default:
		r.bad = true
	}
	return c, r.end(at)
}

func appendKV(b []byte, kv KV) []byte {
	b = binary.AppendUvarint(b, uint64(kv.CreateRevision))
	b = binary.AppendUvarint(b, uint64(kv.ModRevision))
	b = binary.AppendUvarint(b, uint64(kv.Version))
	b = binary.AppendUvarint(b, uint64(kv.Lease))
	return appendBytes(b, kv.Value)
}

func appendBytes(b, p []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(p))), p...)
}

func seal(at, b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, checksum(at, b))
}

func checksum(at, b []byte) uint32 {
	return crc32.Update(crc32.Checksum(at, castagnoli), castagnoli, b)
}

// unseal checks version and checksum and gives a reader of what is between.
func unseal(at, record []byte) (*recordReader, error) {
	n := len(record) - crc32.Size
	if n < 1 {
		return nil, Damaged(at)
	}
	if binary.BigEndian.Uint32(record[n:]) != checksum(at, record[:n]) || record[0] != version {
		return nil, Damaged(at)
	}
	return &recordReader{rest: record[1:n]}, nil
}

// Damaged is the error for the record at this key.
func Damaged(at []byte) error {
	return fmt.Errorf("record %q: %w", at, ErrDamaged)
}

// recordReader reads the parts of a record; bad is set by the first that does
// not fit, and every later part is then zero.
type recordReader struct {
	rest []byte
	bad  bool
}

func (r *recordReader) byte() byte {
	if r.bad || len(r.rest) == 0 {
		r.bad = true
		return 0
	}
	c := r.rest[0]
	r.rest = r.rest[1:]
	return c
}

func (r *recordReader) number() int64 {
	n, size := binary.Uvarint(r.rest)
	if r.bad || size <= 0 || n > 1<<62 {
		r.bad = true
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

// bytes gives a copy: the record belongs to bbolt's memory map.
func (r *recordReader) bytes() []byte {
	n := r.number()
	if r.bad || n > int64(len(r.rest)) {
		r.bad = true
		return nil
	}
	p := append([]byte{}, r.rest[:n]...)
	r.rest = r.rest[n:]
	return p
}

func (r *recordReader) kv(key string) KV {
	return KV{
		Key:            key,
		CreateRevision: r.number(),
		ModRevision:    r.number(),
		Version:        r.number(),
		Lease:          LeaseID(r.number()),
		Value:          r.bytes(),
	}
}

func (r *recordReader) end(at []byte) error {
	if r.bad || len(r.rest) != 0 {
		return Damaged(at)
	}
	return nil
}
