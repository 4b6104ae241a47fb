//go:build !windows

package audit

import "os"

func syncHandle(d *os.File) error { return d.Sync() }
