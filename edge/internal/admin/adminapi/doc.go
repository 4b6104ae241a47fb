// Package adminapi is what the admin socket of an edge speaks: nouns, problems
// and paths, for the server (package admin) and its client (package client).
// They are also what the commands print with --json: fields are only ever added.
//
// Units: times are RFC 3339 in UTC; a number carries its unit in its name.
package adminapi
