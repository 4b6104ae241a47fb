//go:build unix && (!linux || race)

package socket

import "syscall"

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
