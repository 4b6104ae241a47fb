//go:build !linux

package procs

// Slack has nothing to do here.
func Slack() {}
