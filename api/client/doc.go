// Package client is the one typed client of the daemon's local API: the
// command line, the tray and the tests use nothing else.
//
// Shapes: a Client holds no state but idle connections; one method stands for
// one route. Watch and the Hold methods are sequences that last as long as
// their context and their connection; a Stream carries raw bytes with
// half-close.
//
// Errors: every error is a *api.Problem, except that a method whose context
// ended returns the context's cause. A daemon that cannot be reached is a
// Problem with the code api.CodeDaemonDown.
//
// Concurrency: a Client may be used by many goroutines; it starts none of its
// own beside those of net/http.
//
// Source: docs/api.md and api/openapi.json; a test holds the routes against it.
package client
