// Package config reads the edge's file, edge.yaml.
//
// Shapes: Load gives a Config that is checked and complete: no room above needs
// to know a default. Keys is the table of every key with its default and its
// meaning; Template writes a new file from it, and docs/configuration.md repeats
// it. Package names reads host names and selectors.
//
// Errors: Load is strict. An unknown or repeated key, a wrong type, a value that
// makes no sense are each a Fault with file, line, key and what to do; all of
// them are told at once. No value of a key that might hold a secret is repeated,
// and never a line of the file.
//
// Units and limits: a duration is written "12h", "30m", "90s". A relative path is
// relative to the file's folder. The file has at most 1 MiB.
package config
