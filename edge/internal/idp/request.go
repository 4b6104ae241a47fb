package idp

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// request is one sign-in of a browser at this provider. It is not changed after
// it is stored; a step stores another.
type request struct {
	id        string
	owner     [sha256.Size]byte // of the browser's secret
	challenge string
	redirect  string
	state     string
	nonce     string
	scopes    []string
	deadline  time.Time

	// Set once the person signed in.
	email, subject string
	authTime       time.Time
}

var _ op.AuthRequest = (*request)(nil)

func (r *request) GetID() string                      { return r.id }
func (r *request) GetACR() string                     { return "" }
func (r *request) GetAudience() []string              { return []string{clientID} }
func (r *request) GetAuthTime() time.Time             { return r.authTime }
func (r *request) GetClientID() string                { return clientID }
func (r *request) GetNonce() string                   { return r.nonce }
func (r *request) GetRedirectURI() string             { return r.redirect }
func (r *request) GetResponseType() oidc.ResponseType { return oidc.ResponseTypeCode }
func (r *request) GetResponseMode() oidc.ResponseMode { return oidc.ResponseModeQuery }
func (r *request) GetScopes() []string                { return r.scopes }
func (r *request) GetState() string                   { return r.state }
func (r *request) GetSubject() string                 { return r.subject }
func (r *request) Done() bool                         { return r.subject != "" }

func (r *request) GetAMR() []string {
	if r.Done() {
		return []string{"pwd"}
	}
	return nil
}

func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.challenge, Method: oidc.CodeChallengeMethodS256}
}

func (r *request) ownedBy(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(sum[:], r.owner[:]) == 1
}

// beginning is what the authorize handler passes to CreateAuthRequest through
// op: the id, so that the cookie can be set before op answers, and whose it is.
type beginning struct {
	id    string
	owner [sha256.Size]byte
}

type beginningKey struct{}

func withBeginning(ctx context.Context, b beginning) context.Context {
	return context.WithValue(ctx, beginningKey{}, b)
}

var errNoRequest = errors.New("no such request")

// CreateAuthRequest stores what /authorize asked for.
func (s *storage) CreateAuthRequest(ctx context.Context, in *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	b, ok := ctx.Value(beginningKey{}).(beginning)
	switch {
	case !ok:
		return nil, oidc.ErrServerError().WithDescription("request without a browser")
	case in.CodeChallenge == "" || in.CodeChallengeMethod != oidc.CodeChallengeMethodS256:
		return nil, oidc.ErrInvalidRequest().WithDescription("PKCE with S256 is required")
	case in.ResponseMode != "" && in.ResponseMode != oidc.ResponseModeQuery:
		return nil, oidc.ErrInvalidRequest().WithDescription("response_mode is not supported")
	}
	for _, prompt := range in.Prompt {
		if prompt == oidc.PromptNone {
			return nil, oidc.ErrLoginRequired()
		}
	}
	r := &request{
		id: b.id, owner: b.owner, challenge: in.CodeChallenge, redirect: in.RedirectURI, state: in.State,
		nonce: in.Nonce, scopes: in.Scopes, deadline: s.now().Add(requestLife),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	makeRoom(s.requests, maxRequests, s.now(), func(r *request) time.Time { return r.deadline })
	s.requests[r.id] = r
	return r, nil
}

// AuthRequestByID is asked by op on the way back from the login page.
func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	r, ok := s.request(id)
	if !ok {
		return nil, errNoRequest
	}
	return r, nil
}

func (s *storage) request(id string) (*request, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok || !s.now().Before(r.deadline) {
		return nil, false
	}
	return r, true
}

// signedIn notes who a request's person is.
func (s *storage) signedIn(id string, p Person) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.requests[id]
	if !ok {
		return false
	}
	r := *old
	r.email, r.subject, r.authTime = p.Email, p.Subject, s.now().UTC()
	s.requests[id] = &r
	return true
}

// SaveAuthCode makes a code of a request; there is one for each, once.
func (s *storage) SaveAuthCode(_ context.Context, id, code string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return errNoRequest
	}
	delete(s.requests, id)
	coded := *r
	coded.deadline = s.now().Add(codeLife)
	makeRoom(s.codes, maxRequests, s.now(), func(r *request) time.Time { return r.deadline })
	s.codes[sha256.Sum256([]byte(code))] = &coded
	return nil
}

// AuthRequestByCode takes a code; a second try finds none, whoever makes it.
func (s *storage) AuthRequestByCode(_ context.Context, code string) (op.AuthRequest, error) {
	key := sha256.Sum256([]byte(code))
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.codes[key]
	delete(s.codes, key)
	if !ok || !s.now().Before(r.deadline) {
		return nil, errNoRequest
	}
	return r, nil
}

// DeleteAuthRequest has nothing left to do: codes are taken at first sight.
func (s *storage) DeleteAuthRequest(context.Context, string) error { return nil }

// makeRoom drops what is over from a map that is full, then the entry that ends
// first.
func makeRoom[K comparable, V any](m map[K]V, most int, now time.Time, end func(V) time.Time) {
	if len(m) < most {
		return
	}
	var oldest K
	var first time.Time
	for k, v := range m {
		switch e := end(v); {
		case !now.Before(e):
			delete(m, k)
		case first.IsZero() || e.Before(first):
			oldest, first = k, e
		}
	}
	if len(m) >= most {
		delete(m, oldest)
	}
}
