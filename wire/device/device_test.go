package device

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
)

// What ParseKey takes is a key that can be written again and shown to others.
func FuzzParseKey(f *testing.F) {
	ed, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	for _, key := range []crypto.Signer{ed, p256} {
		der, err := MarshalKey(key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
		f.Add(der[:len(der)-1])
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		key, err := ParseKey(der)
		if err != nil {
			return
		}
		again, err := MarshalKey(key)
		if err != nil {
			t.Fatal(err)
		}
		same, err := ParseKey(again)
		if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); err != nil || !ok || !public.Equal(same.Public()) {
			t.Fatalf("written again it is another key: %v", err)
		}
		if _, err := Certificate(key); err != nil {
			t.Fatal(err)
		}
	})
}
