// Package archtest keeps the rules of the house that no linter can say: who may
// import whom, which outside module lives in which room, how large a file, a
// function and a package may grow, and what must be documented.
//
// Shapes: Rules is the house as data (House is ours); Check reads a tree and
// returns every Violation. A room is a folder with what lies below it; each
// room has a layer, and imports go to lower layers only.
//
// Source: docs/architecture.md. The tree is parsed, never asked of the go
// command, so that the test cache notices every file that was read.
package archtest
