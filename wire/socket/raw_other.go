//go:build unix && (!linux || race)

package socket

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func read(fd int, p []byte) (int, error) { return again(syscall.Read, fd, p) }

func write(fd int, p []byte) (int, error) { return again(syscall.Write, fd, p) }

func again(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		n, err := call(fd, p)
		if err != syscall.EINTR {
			return max(n, 0), err
		}
	}
}

func poll(set []unix.PollFd) (int, error) { return unix.Poll(set, 0) }

func shutdown(fd int) error { return syscall.Shutdown(fd, syscall.SHUT_WR) }
