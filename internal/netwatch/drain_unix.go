//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package netwatch

import (
	"context"
	"os"
)

// listen calls changed for each message of the kernel until ctx ends.
func listen(ctx context.Context, changed func()) error {
	f, err := open()
	if err != nil {
		return err
	}
	return drain(ctx, f, changed)
}

// drain reads a socket of the kernel until ctx ends.
func drain(ctx context.Context, f *os.File, changed func()) error {
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	defer f.Close()
	buf := make([]byte, 8<<10)
	for {
		switch _, err := f.Read(buf); {
		case err != nil && !told(err):
			return err
		case ctx.Err() == nil:
			changed()
		}
	}
}
