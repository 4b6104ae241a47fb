// Package web serves the edge's pages: the sign-in of a person whose program
// asked for it, the callback of the identity provider, the confirm page, the
// set-up of the first administrator, and what the edge says about itself.
//
// Shapes: New joins the rooms of the login into one http.Handler. Handlers move
// an attempt (package login) by one step each and show what comes next; they
// hold no state. The browser holds one cookie for each attempt.
//
//	GET  /login/ID      who asks; changes nothing, whoever loads it
//	POST /login/ID      the browser owns the attempt, and goes to the provider
//	GET  /callback      the provider's answer
//	GET  /confirm/ID    "you are X; let Y act as you?"
//	POST /confirm/ID    yes: the code goes to the program; or no
//	GET  /done/ID       the code to type, or how it ended
//	GET, POST /setup    the first administrator
//	     /idp/          the embedded provider
//	GET  /.well-known/sallyport, /, /style.css
//
// Pages work without JavaScript and have none. A strict Content-Security-Policy,
// no-store and no-referrer stand on every answer; POSTs from other origins are
// refused. Only the edge's own name gets pages that do something; a hostname of
// a site gets the well-known document and a word on how to reach it.
//
// Errors: a person reads what happened and the next step; the log gets the rest,
// without codes, states and query strings.
//
// Concurrency: handlers may run at any time. Time limits of connections are
// those of the server that calls.
//
// Source: design sections 6 and 8, protocol rules 12, 27 and 28.
package web
