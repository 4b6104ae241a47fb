package record

import (
	"bytes"
	"errors"
	"testing"
)

func FuzzRecord(f *testing.F) {
	kv := KV{Key: "k", Value: []byte("value"), CreateRevision: 3, ModRevision: 300, Version: 2, Lease: 9}
	f.Add([]byte("k"), EncodeKV(kv))
	f.Add([]byte("at"), EncodeChange([]byte("at"), Change{false, kv, &KV{Key: "k"}}))
	f.Add([]byte("at"), EncodeChange([]byte("at"), Change{true, KV{Key: "k"}, nil}))
	f.Add([]byte{}, seal(nil, []byte{version, 1, 0x80}))
	f.Fuzz(func(t *testing.T, at, data []byte) {
		// As it came, and with a checksum that fits, so that the decoder is reached.
		for _, record := range [][]byte{data, seal(at, append([]byte{version}, data...))} {
			if kv, err := DecodeKV(at, record); err == nil {
				again, err := DecodeKV(at, EncodeKV(kv))
				if err != nil || !bytes.Equal(again.Value, kv.Value) || again.Version != kv.Version {
					t.Fatalf("%+v read back as %+v, %v", kv, again, err)
				}
			} else if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			if c, err := DecodeChange(at, record); err == nil {
				if _, err := DecodeChange(at, EncodeChange(at, c)); err != nil {
					t.Fatal(err)
				}
			} else if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
		}
	})
}

func TestRecordBitFlips(t *testing.T) {
	t.Parallel()
	record := EncodeKV(KV{Key: "key", Value: []byte("some value"), CreateRevision: 1, ModRevision: 2, Version: 2})
	for i := range len(record) * 8 {
		bad := bytes.Clone(record)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := DecodeKV([]byte("key"), bad); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
	if _, err := DecodeKV([]byte("kez"), record); !errors.Is(err, ErrDamaged) {
		t.Fatalf("record under another key: %v", err)
	}
}
