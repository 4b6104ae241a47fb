//go:build !linux

package owner

import (
	"errors"
	"net"
)

const supported = false

type kernel struct{}

func newKernel() (kernel, error) { return kernel{}, nil }

func (kernel) close() error { return nil }

func (kernel) uidOf(net.Conn) (string, error) { return "", errors.ErrUnsupported }
