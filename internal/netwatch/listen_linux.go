package netwatch

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// groups are the messages of the kernel that are listened to.
const groups = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE

// open gives a socket of the kernel's messages. What they say is not read:
// whoever is told looks for itself.
func open() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

// told: the error is itself the news. The kernel had more to say than fits, or
// the clock was set.
func told(err error) bool { return errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ECANCELED) }
