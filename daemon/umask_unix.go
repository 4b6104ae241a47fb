//go:build !windows

package main

import "syscall"

// restrictNewFiles: what this process makes is nobody else's, unless said.
func restrictNewFiles() { syscall.Umask(0o077) }
