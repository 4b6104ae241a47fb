//go:build !unix

package procs

// used is not known here.
func used() (usage, bool) { return usage{}, false }
