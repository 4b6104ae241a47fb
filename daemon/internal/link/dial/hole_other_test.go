//go:build !linux

package dial

import "testing"

func blackHole6(*testing.T) (ok bool, port string) { return false, "" }

func portNumber(string) uint16 { return 0 }
