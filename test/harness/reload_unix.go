//go:build !windows

package harness

import "syscall"

// Reload asks the edge to read its file again.
func (e *Edge) Reload() error { return e.process.Signal(syscall.SIGHUP) }
