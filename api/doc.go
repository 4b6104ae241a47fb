// Package api is contract 1: the nouns, states, problems and events of the
// local API that the daemon serves on a Unix socket or a Windows named pipe.
//
// Shapes: a Status is the whole of what one caller may see; Forward, Tunnel,
// Edge, Login and Session are its nouns. A Problem (RFC 9457) is every error.
// An Event carries a whole Status; a reader that misses the middle ones still
// has the truth in the last.
//
// Units and limits: times are RFC 3339 in UTC; a number that leaves the program
// carries its unit in its name. A body is at most MaxBodyBytes.
//
// Source: docs/api.md and openapi.json beside this file. The package imports the standard
// library only, so that any program may depend on it.
package api

// MaxBodyBytes is the largest request body that the daemon reads. No noun of
// the API comes near it; a larger body is a mistake or an attack.
const MaxBodyBytes = 64 << 10

// Prefix stands before every route.
const Prefix = "/v1"
