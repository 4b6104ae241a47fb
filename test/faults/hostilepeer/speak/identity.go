package speak

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"net"
	"time"
)

// Edge is where the edge under attack is.
type Edge struct {
	// Addr is its port, Name the name in its certificate.
	Addr, Name string
	Roots      *x509.CertPool
}

// Identity is a device key, and what the edge has given to it.
type Identity struct {
	Cert tls.Certificate
	Key  string // the key id in hex
	Boot string
	// Session and Token are those of the newest login.
	Session, Token string
}

// NewIdentity makes an Ed25519 key.
func NewIdentity() (*Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return IdentityOf(key)
}

func IdentityOf(key crypto.Signer) (*Identity, error) {
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0)}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(spki)
	return &Identity{
		Cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		Key:  hex.EncodeToString(id[:]), Boot: RandomHex(16),
	}, nil
}

func RandomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func (e Edge) Dial(ctx context.Context) (*net.TCPConn, error) {
	c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", e.Addr)
	if err != nil {
		return nil, err
	}
	return c.(*net.TCPConn), nil
}
