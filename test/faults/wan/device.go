//go:build linux

package wan

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

const (
	tunDevice = "/dev/net/tun"
	// deviceName is that of the device in both namespaces.
	deviceName = "wan0"
	// stirredName is a second address of loopback that Stir changes.
	stirredName = "lo:stir"
	// MTU is that of an Ethernet, as most paths have it.
	MTU = 1500
	// deviceQueue is how many packets may wait for the emulator in the kernel: a
	// hundredth of a second at 1 Gbit/s, so that nothing is lost but what is meant to.
	deviceQueue = 10_000
)

// openDevice makes the TUN device in the namespace of the thread, up and with
// an address of a /24.
func openDevice(addr netip.Addr) (*os.File, error) {
	fd, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tunDevice, err)
	}
	req, err := unix.NewIfreq(deviceName)
	if err == nil {
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err == nil {
		err = errors.Join(setQueue(), setAddress(deviceName, addr), setUp(deviceName, true))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("TUN device: %w", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), tunDevice), nil
}

// LoopbackUp brings the loopback device of the thread's namespace up.
func LoopbackUp() error { return setUp("lo", true) }

func setUp(name string, up bool) error {
	return control(name, func(fd int, req *unix.Ifreq) error {
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req); err != nil {
			return err
		}
		flags := req.Uint16() &^ unix.IFF_UP
		if up {
			flags |= unix.IFF_UP
		}
		req.SetUint16(flags)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
	})
}

func setAddress(name string, addr netip.Addr) error {
	set := func(call uint, a netip.Addr) error {
		return control(name, func(fd int, req *unix.Ifreq) error {
			b := a.As4()
			if err := req.SetInet4Addr(b[:]); err != nil {
				return err
			}
			return unix.IoctlIfreq(fd, call, req)
		})
	}
	return errors.Join(set(unix.SIOCSIFADDR, addr), set(unix.SIOCSIFNETMASK, netip.MustParseAddr("255.255.255.0")))
}

func setQueue() error {
	return control(deviceName, func(fd int, req *unix.Ifreq) error {
		req.SetUint32(deviceQueue)
		return unix.IoctlIfreq(fd, unix.SIOCSIFTXQLEN, req)
	})
}

// control does something to a device of the thread's namespace.
func control(name string, f func(fd int, req *unix.Ifreq) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := f(fd, req); err != nil {
		return fmt.Errorf("device %s: %w", name, err)
	}
	return nil
}
