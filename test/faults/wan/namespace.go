//go:build linux

package wan

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a network namespace. It lives as long as something uses it.
type Namespace struct{ file *os.File }

const ofThread = "/proc/thread-self/ns/net"

// Available says why there can be no network here; nil where there can.
func Available() error {
	if os.Geteuid() != 0 {
		return errors.New("root is needed for network namespaces")
	}
	f, err := os.OpenFile(tunDevice, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// Here is the namespace of this process.
func Here() (*Namespace, error) {
	f, err := os.Open("/proc/self/ns/net")
	if err != nil {
		return nil, err
	}
	return &Namespace{f}, nil
}

// NewNamespace makes one with a loopback device.
func NewNamespace() (*Namespace, error) {
	here, err := Here()
	if err != nil {
		return nil, err
	}
	defer here.Close()
	ns := &Namespace{}
	// The thread goes into the new one and comes back by way of Do's end.
	err = here.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("new network namespace: %w", err)
		}
		if err := LoopbackUp(); err != nil {
			return err
		}
		ns.file, err = os.Open(ofThread)
		return err
	})
	return ns, err
}

// Do runs f on a thread in the namespace: sockets that f opens and programs
// that f starts belong there. Goroutines that f starts do not.
func (n *Namespace) Do(f func() error) error {
	runtime.LockOSThread()
	back, err := os.Open(ofThread)
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer back.Close()
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter the network namespace: %w", err)
	}
	err = f()
	if berr := unix.Setns(int(back.Fd()), unix.CLONE_NEWNET); berr != nil {
		// A thread that is left locked ends with its goroutine; none may go on in
		// the wrong namespace.
		panic(fmt.Sprintf("leave the network namespace: %v", berr))
	}
	runtime.UnlockOSThread()
	return err
}

// Close forgets it.
func (n *Namespace) Close() error { return n.file.Close() }
