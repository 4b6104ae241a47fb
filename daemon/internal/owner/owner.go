// Package owner tells whose a local TCP connection is: a forwarded port belongs
// to one OS user, and whoever else connects to it is refused before a byte is
// read.
//
// Shapes: a Checker asks the kernel; Of gives the check for one owner, which a
// forward calls with each connection that it accepted. Where Supported is false
// the system has no answer that this package knows, everybody is admitted, and
// status says so.
//
// What is admitted: the exact 4-tuple has a socket, connected, that a process has
// open, and it is the owner's; and after that answer the accepted socket is
// neither closed nor reset, so that the answer was about this connection and not
// about a later one of the same ports. All else is unknown, and unknown is
// refused: a socket whose process has closed it, a listener that happens to use
// the same port, a uid of another user namespace.
//
// Linux asks sock_diag, macOS its list of sockets, and both tell the user who made
// the socket. Windows tells the process that made it, and that process's token
// tells the user: a socket that outlives that process is unknown.
//
// Errors: ErrOther and ErrUnknown.
//
// Source: rule 30 of docs/protocol.md.
package owner

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/sallyport/sallyport/internal/ipc"
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

// Supported says whether a check tells anything on this system.
func (k *Checker) Supported() bool { return supported }

// Close gives the socket to the kernel back.
func (k *Checker) Close() error { return k.kernel.close() }

// Of returns the check for one owner: an account of that uid and, unless it is "",
// that name. The uid of an account that is deleted is given to another one.
func (k *Checker) Of(uid, name string) Owned { return Owned{checker: k, uid: uid, name: name} }

// Owned checks the connections of one owner.
type Owned struct {
	checker   *Checker
	uid, name string
	others    func(uid string) bool // nil: nobody
	everybody bool
}

// SharedWithEverybody lets all in, also from other machines, which the kernel knows no
// owner of.
func (o Owned) SharedWithEverybody() Owned {
	o.everybody = true
	return o
}

// SharedWith lets others in, of whom the kernel says who they are.
func (o Owned) SharedWith(others func(uid string) bool) Owned {
	o.others = others
	return o
}

// Check is nil where the peer of an accepted connection is the owner's, or that
// of somebody it is shared with.
func (o Owned) Check(c net.Conn) error {
	if !supported || o.everybody {
		return nil
	}
	got, err := o.checker.kernel.uidOf(c)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if o.others != nil && o.others(got) {
		return nil
	}
	if got != o.uid {
		return fmt.Errorf("%w: uid %s", ErrOther, got)
	}
	if o.name == "" || !reusesUIDs {
		return nil
	}
	if now := ipc.UserName(o.uid); now != o.name {
		return fmt.Errorf("%w: uid %s is %s now, and was %s", ErrOther, o.uid, now, o.name)
	}
	return nil
}

// ends are the two addresses of an accepted connection, as the peer's socket has
// them: its own, and that of its peer.
func ends(c net.Conn) (remote, local netip.AddrPort, err error) {
	if remote, err = addrPort(c.RemoteAddr()); err == nil {
		local, err = addrPort(c.LocalAddr())
	}
	return remote, local, err
}

func addrPort(a net.Addr) (netip.AddrPort, error) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%v is no TCP address", a)
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port()), nil
}

// ask has f ask the system about an accepted socket.
func ask(c net.Conn, f func(fd uintptr) error) error {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return fmt.Errorf("%T is no socket", c)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := raw.Control(func(fd uintptr) { err = f(fd) }); cerr != nil {
		return cerr
	}
	return err
}
