//go:build !windows

package terminal

import (
	"io"
	"os"
)

func openTTY() (io.ReadCloser, error) { return os.OpenFile("/dev/tty", os.O_RDWR, 0) }
