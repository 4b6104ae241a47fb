// Package idp is the embedded OpenID provider, for an organisation that has no
// other: people with passwords, mounted under /idp of the edge's web URL. The
// edge meets it through the same relying-party code as any provider.
//
// Shapes: a Provider joins the protocol (the op package of zitadel/oidc, trimmed
// to the code flow with PKCE and one client, the edge itself), its login page,
// People and the set-up link. storage is what op asks for.
//
// Rows: "idp/people/EMAIL" (argon2id hashes) and "idp/keys/ID" (signing keys).
// Requests under way, codes and access tokens are in bounded memory: a restart
// costs a person one more press of a button.
//
// A request belongs to the browser that began it (cookie), at the login page and
// at the way back: else somebody could begin a request, have another person sign
// it and take the code.
//
// Units and limits: passwords of 12 to 256 characters, argon2id with 19 MiB, two
// at a time; failed tries are limited by account and by address; unknown people
// and wrong passwords get one answer after one time.
//
// Errors: sentinels of this package for what a person did wrong; store.ErrExists
// and store.ErrNotFound; others are of the store.
//
// Concurrency: New starts nothing, nothing needs to run. All methods may be
// called at any time.
package idp
