//go:build !windows

package service

// endedAlone: wait sees it.
func endedAlone(error) {}
