// Package cli is the command line of sallyport-edge: init, serve, and the
// commands that administer a running edge over its admin socket.
//
// Output: standard output has what was asked for and nothing else, with --json
// the nouns of package adminapi; all else goes to standard error. An error is
// "sallyport-edge: error: ...", then "sallyport-edge: hint: ..." with the next
// step. Exit codes: see exit.go.
//
// The running edge is reached by package client of the room admin and by nothing
// else, as ctl reaches the daemon by api/client. Package scaffold is what init does.
package cli
