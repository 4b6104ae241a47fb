// Package owner tells whose a local TCP connection is: a forwarded port belongs
// to one OS user, and whoever else connects to it is refused before a byte is
// read.
//
// Shapes: a Checker asks the kernel; Of gives the check for one owner, which a
// forward calls with each connection that it accepted. Where Supported is false
// the system has no answer that this package knows, everybody is admitted, and
// status says so.
//
// What is admitted (Linux): the exact 4-tuple has a socket, connected, with a
// file behind it, of the owner's uid; and after that answer the accepted socket
// is neither closed nor reset, so that the answer was about this connection and
// not about a later one of the same ports. All else is unknown, and unknown is
// refused: a socket whose process has closed it, a listener that happens to use
// the same port, a uid of another user namespace.
//
// Errors: ErrOther and ErrUnknown.
//
// Source: rule 30 of docs/protocol.md.
package owner

import (
	"errors"
	"fmt"
	"net"
)

// Errors of a check.
var (
	// ErrOther: the connection is another OS user's.
	ErrOther = errors.New("the connection is another user's")
	// ErrUnknown: the kernel does not say whose it is.
	ErrUnknown = errors.New("whose connection it is is unknown")
)

// Checker asks the kernel whose connections are. It may be used by many
// goroutines.
type Checker struct{ kernel kernel }

// New returns a Checker, which holds one socket to the kernel until Close.
func New() (*Checker, error) {
	k, err := newKernel()
	if err != nil {
		return nil, fmt.Errorf("owner check: %w", err)
	}
	return &Checker{kernel: k}, nil
}

// Supported says whether Check tells anything on this system.
func (k *Checker) Supported() bool { return supported }

// Close gives the socket to the kernel back.
func (k *Checker) Close() error { return k.kernel.close() }

// Check is nil where the peer of an accepted connection is a socket of the OS
// user uid (or nothing is known on this system at all).
func (k *Checker) Check(c net.Conn, uid string) error {
	if !supported {
		return nil
	}
	got, err := k.kernel.uidOf(c)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if got != uid {
		return fmt.Errorf("%w: uid %s", ErrOther, got)
	}
	return nil
}

// Of returns the check for one owner.
func (k *Checker) Of(uid string) Owned { return Owned{k, uid} }

// Owned checks the connections of one owner.
type Owned struct {
	checker *Checker
	uid     string
}

// Check is nil where the peer of an accepted connection is the owner's.
func (o Owned) Check(c net.Conn) error { return o.checker.Check(c, o.uid) }
