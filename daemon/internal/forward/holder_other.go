//go:build !linux && !windows

package forward

import "net/netip"

// findSocket: this system is not asked.
func findSocket(netip.AddrPort) holder { return holder{} }

// findProgram: this system is not asked.
func findProgram(*holder) {}
