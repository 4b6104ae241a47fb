package enrol

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

const (
	// DefaultTokenTTL is how long a join token lives where nothing is said.
	DefaultTokenTTL = 24 * time.Hour
	// MaxTokenTTL bounds it: a token that never ends is a password.
	MaxTokenTTL = 365 * 24 * time.Hour
	// MaxTokenUses bounds how many hosts one token may enrol.
	MaxTokenUses = 10_000

	tokenPrefix = "spj_" // so that a scanner for leaked secrets can know it
)

var text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newID returns prefix and 80 random bits.
func newID(prefix string) string {
	var b [10]byte
	rand.Read(b[:])
	return prefix + text.EncodeToString(b[:])
}

// Token is the row of a join token; its secret is not kept.
type Token struct {
	ID        string    `json:"id"`
	Hash      string    `json:"hash"` // SHA-256 of the secret, in hex
	Site      string    `json:"site"`
	Hostnames []string  `json:"hostnames"`
	Group     string    `json:"group,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Uses      int       `json:"uses"` // how many hosts it may enrol
	Used      int       `json:"used"`
	By        string    `json:"by"`
}

func (t Token) usable(now time.Time) bool { return t.Used < t.Uses && now.Before(t.ExpiresAt) }

// TokenSpec is what a new join token permits. Zero TTL means DefaultTokenTTL,
// zero Uses means one, no Hostnames mean the whole site.
type TokenSpec struct {
	Site      string
	Hostnames []string
	Group     string
	TTL       time.Duration
	Uses      int
	By        string
}

// NewToken makes a join token; the secret is told this once.
func (s *Service) NewToken(ctx context.Context, spec TokenSpec) (secret string, t Token, err error) {
	if spec.TTL == 0 {
		spec.TTL = DefaultTokenTTL
	}
	if spec.Uses == 0 {
		spec.Uses = 1
	}
	if spec.TTL < 0 || spec.TTL > MaxTokenTTL {
		return "", t, reason(wire.CodeInvalid, fmt.Sprintf("a lifetime of %s is not possible", spec.TTL), "give one of up to 8760h")
	}
	if spec.Uses < 0 || spec.Uses > MaxTokenUses {
		return "", t, reason(wire.CodeInvalid, fmt.Sprintf("%d uses are not possible", spec.Uses), fmt.Sprintf("give 1 to %d", MaxTokenUses))
	}
	site, err := s.site(spec.Site)
	if err != nil {
		return "", t, err
	}
	scope, err := s.scopeOf(site, spec.Hostnames)
	if err != nil {
		return "", t, err
	}
	if err := checkGroup(spec.Group); err != nil {
		return "", t, err
	}
	var b [32]byte
	rand.Read(b[:])
	secret = tokenPrefix + text.EncodeToString(b[:])
	now := s.now().UTC()
	t = Token{
		ID: newID("tok_"), Hash: hashOf(secret), Site: site, Hostnames: scope, Group: spec.Group,
		CreatedAt: now, ExpiresAt: now.Add(spec.TTL), Uses: spec.Uses, By: spec.By,
	}
	s.sweepTokens(ctx)
	if err := s.tokens.Create(ctx, t.Hash, t); err != nil {
		return "", Token{}, err
	}
	return secret, t, nil
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(secret)))
	return hex.EncodeToString(sum[:])
}

// sweepTokens deletes what can no longer be used; a failure leaves it for the next time.
func (s *Service) sweepTokens(ctx context.Context) {
	rows, err := s.tokens.List(ctx)
	if err != nil {
		s.log.Warn("join tokens not swept", "error", err)
		return
	}
	for _, t := range rows {
		if t.usable(s.now()) {
			continue
		}
		if err := s.tokens.Delete(ctx, t.Hash); err != nil && !errors.Is(err, store.ErrNotFound) {
			s.log.Warn("join token not swept", "token", t.ID, "error", err)
		}
	}
}

// Tokens lists the join tokens that can still be used.
func (s *Service) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.tokens.List(ctx)
	if err != nil {
		return nil, err
	}
	usable := rows[:0]
	for _, t := range rows {
		if t.usable(s.now()) {
			usable = append(usable, t)
		}
	}
	return usable, nil
}

// RemoveToken deletes a join token by its id (ErrNotFound).
func (s *Service) RemoveToken(ctx context.Context, id string) error {
	rows, err := s.tokens.List(ctx)
	if err != nil {
		return err
	}
	for _, t := range rows {
		if t.ID == id {
			return notFound(s.tokens.Delete(ctx, t.Hash))
		}
	}
	return ErrNotFound
}

// Join enrols a key by a join token; *wire.Reason on refusal. A key that was
// revoked needs a token that is newer: the old one was in its hands. Of a token's uses
// exactly one is spent, together with the connector's row.
func (s *Service) Join(ctx context.Context, key wire.KeyID, secret, device string) (Connector, error) {
	hash := hashOf(secret)
	return s.enrol(ctx, func() (NewConnector, store.Txn, error) {
		t, revision, err := s.tokens.Row(ctx, hash)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && !t.usable(s.now()):
			return NewConnector{}, store.Txn{}, errBadToken()
		case err != nil:
			return NewConnector{}, store.Txn{}, err
		case s.barred(key, t.CreatedAt):
			return NewConnector{}, store.Txn{}, errRevokedSince()
		}
		t.Used++
		op, err := s.tokens.PutOp(hash, t)
		return NewConnector{
				Key: key, Site: t.Site, Group: t.Group, Hostnames: t.Hostnames,
				DeviceName: device, By: "token " + t.ID,
			}, store.Txn{
				Compare: []store.Compare{store.Unchanged(s.tokens.Key(hash), revision)},
				Then:    []store.Op{op},
			}, err
	})
}

func errRevokedSince() *wire.Reason {
	return reason(wire.CodeRevoked, "this machine's enrolment was revoked, and a join token from before that does not renew it",
		"ask for a new one: sallyport-edge token new --site SITE --hostnames GLOB")
}

// errBadToken is one text for unknown, used and expired: a guesser learns nothing.
func errBadToken() *wire.Reason {
	return reason(wire.CodeBadToken, "the join token is unknown, used up or expired",
		"ask for a new one: sallyport-edge token new --site SITE --hostnames GLOB")
}
