//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly && !windows

package netwatch

import (
	"context"
	"errors"
)

// listen: this system has no way that is known here.
func listen(context.Context, func()) error { return errors.ErrUnsupported }
