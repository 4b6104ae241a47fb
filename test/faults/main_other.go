//go:build !linux

// Program faults needs Linux: it looks at its programs through /proc.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "faults: runs on Linux only")
	os.Exit(1)
}
