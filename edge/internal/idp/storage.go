package idp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	// requestLife is how long a person may take at the login page.
	requestLife = 10 * time.Minute
	// codeLife is how long the edge may take to use a code.
	codeLife = time.Minute
	// maxRequests bounds requests, codes and access tokens, each.
	maxRequests = 10_000
)

// storage is what op keeps. Refresh, device, implicit and introspection are not
// offered; their methods refuse.
type storage struct {
	people *People
	key    signingKey
	client *client
	now    func() time.Time

	mu       sync.Mutex
	requests map[string]*request            // guarded by mu
	codes    map[[sha256.Size]byte]*request // guarded by mu
	tokens   map[string]accessToken         // guarded by mu; by token id
}

// accessToken is good for userinfo alone.
type accessToken struct {
	subject, email string
	scopes         []string
	until          time.Time
}

var (
	_ op.Storage                   = (*storage)(nil)
	_ op.CanSetUserinfoFromRequest = (*storage)(nil)

	errNotOffered = errors.New("not offered by this provider")
)

func newStorage(people *People, key signingKey, c *client, now func() time.Time) *storage {
	return &storage{
		people: people, key: key, client: c, now: now,
		requests: map[string]*request{}, codes: map[[sha256.Size]byte]*request{}, tokens: map[string]accessToken{},
	}
}

// Health is always good: the store is asked where it is needed.
func (s *storage) Health(context.Context) error { return nil }

// SigningKey is the newest key.
func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

// SignatureAlgorithms has the one that is used.
func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{keyAlgorithm}, nil
}

// KeySet has the public half of the signing key.
func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{s.key}}, nil
}

// GetClientByClientID knows one client.
func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if id != clientID {
		return nil, errors.New("unknown client")
	}
	return s.client, nil
}

// AuthorizeClientIDSecret compares the client's secret.
func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	if id != clientID || subtle.ConstantTimeCompare([]byte(secret), []byte(s.client.secret)) != 1 {
		return errors.New("wrong client or secret")
	}
	return nil
}

// CreateAccessToken makes a token that userinfo takes.
func (s *storage) CreateAccessToken(_ context.Context, in op.TokenRequest) (string, time.Time, error) {
	r, ok := in.(*request)
	if !ok {
		return "", time.Time{}, errNotOffered
	}
	id, until := rand.Text(), s.now().Add(tokenLife)
	s.mu.Lock()
	defer s.mu.Unlock()
	makeRoom(s.tokens, maxRequests, s.now(), func(t accessToken) time.Time { return t.until })
	s.tokens[id] = accessToken{r.subject, r.email, r.scopes, until}
	return id, until, nil
}

// SetUserinfoFromScopes is op's older way; SetUserinfoFromRequest fills in.
func (s *storage) SetUserinfoFromScopes(context.Context, *oidc.UserInfo, string, string, []string) error {
	return nil
}

// SetUserinfoFromRequest fills the ID token.
func (s *storage) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, in op.IDTokenRequest, scopes []string) error {
	r, ok := in.(*request)
	if !ok {
		return errNotOffered
	}
	return s.fill(ctx, info, r.email, r.subject)
}

// SetUserinfoFromToken fills the userinfo answer.
func (s *storage) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, _ string) error {
	s.mu.Lock()
	t, ok := s.tokens[tokenID]
	s.mu.Unlock()
	if !ok || t.subject != subject || !s.now().Before(t.until) {
		return errors.New("access token is not valid")
	}
	return s.fill(ctx, info, t.email, t.subject)
}

// fill reads the person anew: somebody who was removed meanwhile gets nothing.
func (s *storage) fill(ctx context.Context, info *oidc.UserInfo, email, subject string) error {
	p, err := s.people.Get(ctx, email)
	if err != nil {
		return fmt.Errorf("person of the token: %w", err)
	}
	if p.Subject != subject {
		return errors.New("person of the token is no more")
	}
	info.Subject = p.Subject
	info.Email, info.EmailVerified = p.Email, true // an administrator wrote it down
	info.Name = p.Name
	groups := p.Groups
	if groups == nil {
		groups = []string{}
	}
	info.AppendClaims("groups", groups)
	return nil
}

// What follows is of flows that are not offered.

func (s *storage) CreateAccessAndRefreshTokens(context.Context, op.TokenRequest, string) (string, string, time.Time, error) {
	return "", "", time.Time{}, errNotOffered
}

func (s *storage) TokenRequestByRefreshToken(context.Context, string) (op.RefreshTokenRequest, error) {
	return nil, errNotOffered
}

func (s *storage) TerminateSession(context.Context, string, string) error { return errNotOffered }

func (s *storage) RevokeToken(context.Context, string, string, string) *oidc.Error {
	return oidc.ErrInvalidRequest()
}

func (s *storage) GetRefreshTokenInfo(context.Context, string, string) (string, string, error) {
	return "", "", op.ErrInvalidRefreshToken
}

func (s *storage) SetIntrospectionFromToken(context.Context, *oidc.IntrospectionResponse, string, string, string) error {
	return errNotOffered
}

func (s *storage) GetPrivateClaimsFromScopes(context.Context, string, string, []string) (map[string]any, error) {
	return nil, nil
}

func (s *storage) GetKeyByIDAndClientID(context.Context, string, string) (*jose.JSONWebKey, error) {
	return nil, errNotOffered
}

func (s *storage) ValidateJWTProfileScopes(context.Context, string, []string) ([]string, error) {
	return nil, errNotOffered
}
