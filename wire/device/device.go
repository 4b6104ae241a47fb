// Package device makes device keys, and the certificates that carry them. Package
// wire gives its functions out under its own names.
package device

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// ErrKeyType: a device key that is neither Ed25519 nor P-256.
var ErrKeyType = errors.New("key is neither Ed25519 nor P-256")

// NewKey makes an Ed25519 key.
func NewKey() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make device key: %w", err)
	}
	return key, nil
}

// MarshalKey gives a key as PKCS #8 DER. It is a secret.
func MarshalKey(key crypto.Signer) ([]byte, error) {
	if err := CheckKeyType(key.Public()); err != nil {
		return nil, fmt.Errorf("encode device key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode device key: %w", err)
	}
	return der, nil
}

// ParseKey takes what MarshalKey gives: Ed25519 and P-256 only.
func ParseKey(der []byte) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("decode device key: %w", err)
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("decode device key: %w", ErrKeyType)
	}
	if err := CheckKeyType(key.Public()); err != nil {
		return nil, fmt.Errorf("decode device key: %w", err)
	}
	return key, nil
}

// Certificate wraps a key in a self-signed certificate. Only its key
// counts; everything else in it is filling.
func Certificate(key crypto.Signer) (tls.Certificate, error) {
	if err := CheckKeyType(key.Public()); err != nil {
		return tls.Certificate{}, fmt.Errorf("make device certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "sallyport device"},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make device certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make device certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// CheckKeyType says whether a public key may be a device key.
func CheckKeyType(public crypto.PublicKey) error {
	switch k := public.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return nil
		}
	}
	return ErrKeyType
}
