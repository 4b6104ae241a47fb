// Package signin walks a person through one login on the side of the program
// that asked: the command line or the tray, in the person's own session, never
// the service.
//
// Shapes: an Attempt is one login from the request to its final state. Its
// Dialog is how it speaks with the person. A Taker watches for logins that a
// waiting connection made wanted, and turns them into attempts. A Listener is
// where the browser brings the code back to (mode loopback).
//
// Units and limits: a Taker opens a browser by itself at most once in
// openEvery and tries again after a failure only after retryAfter, so that a
// port scanner or a connection pool never opens a second tab.
//
// Errors: Attempt.Run returns *api.Problem, or the cause of its context.
//
// Concurrency: Run starts what it needs and joins it. A Dialog's functions are
// called by one goroutine at a time for each attempt.
//
// Source: section 6 of the design. The package imports api/client and
// internal/browser, leaves of its own layer: it exists so that ctl and tray
// share what joins the two.
package signin
