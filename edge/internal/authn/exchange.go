package authn

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// clockSkew is how far the provider's clock may be off.
const clockSkew = 5 * time.Minute

// algorithms may sign an ID token: public-key signatures alone, since the
// client secret is no key and "none" is no signature.
var algorithms = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512,
	oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
}

// Identity is who the provider says the person is.
type Identity struct {
	Issuer, Subject string
	Email           string
	EmailVerified   bool
	Name            string
	Groups          []string
	AMR             []string
	ACR             string
	AuthTime        time.Time
}

// Exchange turns the code of the callback into a checked identity.
func (p *Provider) Exchange(ctx context.Context, code, verifier, nonce string) (Identity, error) {
	provider, err := p.discover(ctx)
	if err != nil {
		return Identity{}, err
	}
	secret, err := p.secret()
	if err != nil {
		return Identity{}, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), callTimeout)
	defer cancel()
	token, err := p.oauth(provider, secret).Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return Identity{}, explain(ctx, "token", err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, fmt.Errorf("%w: no ID token", ErrProvider)
	}
	checked, c, err := p.verify(ctx, provider, raw, nonce)
	if err != nil {
		return Identity{}, err
	}
	if checked.AccessTokenHash != "" {
		if err := checked.VerifyAccessToken(token.AccessToken); err != nil {
			return Identity{}, fmt.Errorf("%w: access token does not belong to the ID token", ErrProvider)
		}
	}
	if (c.Email == "" || c.groups == nil) && provider.UserInfoEndpoint() != "" && token.AccessToken != "" {
		if err := p.complete(ctx, provider, token, &c); err != nil {
			return Identity{}, err
		}
	}
	return c.identity()
}

// verify checks an ID token by itself.
func (p *Provider) verify(ctx context.Context, provider *oidc.Provider, raw, nonce string) (*oidc.IDToken, claims, error) {
	checked, err := provider.Verifier(&oidc.Config{
		ClientID: p.cfg.ClientID, SupportedSigningAlgs: algorithms, Now: p.cfg.Clock,
	}).Verify(ctx, raw)
	if err != nil {
		return nil, claims{}, explain(ctx, "ID token", err)
	}
	c := claims{}
	if err := c.read(checked.Claims, p.cfg.GroupsClaim); err != nil {
		return nil, claims{}, err
	}
	wrong := func(what string) (*oidc.IDToken, claims, error) {
		return nil, claims{}, fmt.Errorf("%w: %s", ErrProvider, what)
	}
	switch {
	case checked.Issuer != p.cfg.Issuer: // go-oidc lets one provider spell it in two ways
		return wrong("ID token of another issuer")
	case checked.Subject == "" || len(checked.Subject) > maxClaim:
		return wrong("ID token without a usable subject")
	case nonce == "" || subtle.ConstantTimeCompare([]byte(checked.Nonce), []byte(nonce)) != 1:
		return wrong("ID token of another sign-in (nonce)")
	case len(checked.Audience) > 1 && c.AuthorisedParty == "":
		return wrong("ID token for several audiences without an authorised party")
	case c.AuthorisedParty != "" && c.AuthorisedParty != p.cfg.ClientID:
		return wrong("ID token for another client (azp)")
	case checked.IssuedAt.After(p.cfg.Clock().Add(clockSkew)):
		return wrong("ID token from the future; check the clocks of edge and provider")
	}
	c.Issuer, c.Subject = checked.Issuer, checked.Subject
	return checked, c, nil
}

// complete takes what the ID token left out from the userinfo endpoint.
func (p *Provider) complete(ctx context.Context, provider *oidc.Provider, token *oauth2.Token, c *claims) error {
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return explain(ctx, "userinfo", err)
	}
	if info.Subject != c.Subject {
		return fmt.Errorf("%w: userinfo is about somebody else", ErrProvider)
	}
	more := claims{}
	if err := more.read(info.Claims, p.cfg.GroupsClaim); err != nil {
		return err
	}
	if c.Email == "" {
		// The pair goes together: one answer's address is not verified by the other.
		c.Email, c.EmailVerified = more.Email, more.EmailVerified
	}
	if c.Name == "" {
		c.Name = more.Name
	}
	if c.groups == nil {
		c.groups = more.groups
	}
	return nil
}

// explain gives an error of the libraries its kind and a text without what the
// provider sent, which may hold a token.
func explain(ctx context.Context, what string, err error) error {
	var refused *oauth2.RetrieveError
	var expired *oidc.TokenExpiredError
	var issuer *oidc.IssuerMismatchError
	switch {
	case errors.As(err, &refused):
		switch refused.ErrorCode {
		case "":
			return fmt.Errorf("%w: %s: no answer that OAuth knows", ErrProvider, what)
		case "invalid_client", "unauthorized_client":
			return fmt.Errorf("%w: it does not accept this edge's client id or secret", ErrProvider)
		}
		return fmt.Errorf("%w: %s", ErrCode, short(refused.ErrorCode))
	case errors.Is(err, errTooLarge):
		return fmt.Errorf("%w: %s: %w", ErrProvider, what, errTooLarge)
	case errors.As(err, &expired):
		return fmt.Errorf("%w: ID token has expired; check the clocks of edge and provider", ErrProvider)
	case errors.As(err, &issuer):
		return fmt.Errorf("%w: it calls itself %q, not %q", ErrProvider, short(issuer.Discovered), issuer.Provided)
	case isNetwork(ctx, err):
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, what, networkCause(err))
	}
	return fmt.Errorf("%w: %s: %s", ErrProvider, what, short(err.Error()))
}
