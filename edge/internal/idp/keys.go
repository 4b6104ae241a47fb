package idp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/sallyport/sallyport/edge/internal/store"
)

const (
	keyAlgorithm = jose.ES256
	// keyLife is how old the signing key may be when the edge starts; ID tokens
	// are checked within seconds, so the keys before it need no longer be told.
	keyLife = 90 * 24 * time.Hour
)

// keyRow is a signing key at rest.
type keyRow struct {
	ID        string    `json:"id"`
	PKCS8     []byte    `json:"pkcs8"`
	CreatedAt time.Time `json:"created_at"`
}

// signingKey is both faces that op wants of a key.
type signingKey struct {
	id  string
	key *ecdsa.PrivateKey
}

func (k signingKey) ID() string                                  { return k.id }
func (k signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return keyAlgorithm }
func (k signingKey) Key() any                                    { return k.key }

type publicKey struct{ signingKey }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return keyAlgorithm }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.key.PublicKey }

// openKeys reads the newest key and makes one where it is missing or old.
func openKeys(ctx context.Context, s store.Store, now time.Time) (signingKey, error) {
	rows := store.NewTable[keyRow](s, "idp/keys")
	all, err := rows.List(ctx)
	if err != nil {
		return signingKey{}, fmt.Errorf("read signing keys: %w", err)
	}
	if len(all) > 0 {
		newest := slices.MaxFunc(all, func(a, b keyRow) int { return a.CreatedAt.Compare(b.CreatedAt) })
		if now.Sub(newest.CreatedAt) < keyLife {
			return parseKey(newest)
		}
	}
	row, err := newKey(now)
	if err != nil {
		return signingKey{}, fmt.Errorf("make signing key: %w", err)
	}
	if err := rows.Create(ctx, row.ID, row); err != nil {
		return signingKey{}, fmt.Errorf("write signing key: %w", err)
	}
	for _, old := range all {
		if err := rows.Delete(ctx, old.ID); err != nil {
			return signingKey{}, fmt.Errorf("drop old signing key: %w", err)
		}
	}
	return parseKey(row)
}

func newKey(now time.Time) (keyRow, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyRow{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return keyRow{}, err
	}
	return keyRow{ID: "key_" + strings.ToLower(rand.Text()[:16]), PKCS8: der, CreatedAt: now.UTC().Round(0)}, nil
}

func parseKey(row keyRow) (signingKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(row.PKCS8)
	if err != nil {
		return signingKey{}, fmt.Errorf("signing key %s: %w", row.ID, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return signingKey{}, fmt.Errorf("signing key %s: not a P-256 key", row.ID)
	}
	return signingKey{row.ID, key}, nil
}
