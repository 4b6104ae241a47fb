// Package authn is the edge's side of OpenID Connect: it sends a browser to the
// provider and turns the code that comes back into a checked identity.
//
// Shapes: a Provider is one provider, discovered at its first use. AuthURL and
// Exchange are the two halves of one trip. An Identity is what the provider
// vouched for; tokens never leave this package.
//
// Checks: exact issuer, audience and authorised party, signature by an
// algorithm of a fixed list (never none, never a shared secret), expiry, issue
// time, nonce, PKCE with S256, the access token's hash where there is one, and
// that the userinfo answer is about the same subject.
//
// Units and limits: whatever the provider sends is read up to 1 MiB, after
// decompression. A dial takes 5 seconds at most, a call 10, discovery 5; the
// provider is asked at most once a second while it cannot be reached. Redirects
// of the provider are not followed.
//
// Errors: ErrUnreachable (try again later), ErrProvider (the provider's answer
// cannot be trusted, or its set-up is wrong), ErrCode (the code was refused).
// Texts never hold a token or a code.
//
// Concurrency: all methods may be called at any time.
//
// Source: OpenID Connect Core 1.0 sections 3.1 and 5.3, Discovery 1.0, RFC 7636.
package authn
