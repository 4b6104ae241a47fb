package splice

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// pipeSize is asked for; where the kernel refuses it, pipes keep their 64 KiB.
	pipeSize = 256 << 10
	// keepPipes bounds the pool: what many busy trunks need at one moment.
	keepPipes = 64

	spliceFlags = unix.SPLICE_F_MOVE | unix.SPLICE_F_NONBLOCK
)

// pipe is an empty pipe of the kernel, or one that is being filled and drained.
type pipe struct{ r, w int }

func (p *pipe) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}

// pipes is the pool of empty pipes.
var pipes struct {
	mu   sync.Mutex
	free []*pipe
}

func takePipe() (*pipe, error) {
	pipes.mu.Lock()
	if n := len(pipes.free); n > 0 {
		p := pipes.free[n-1]
		pipes.free = pipes.free[:n-1]
		pipes.mu.Unlock()
		return p, nil
	}
	pipes.mu.Unlock()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	// Without privilege the kernel refuses it once many pages are held.
	unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, pipeSize)
	return &pipe{r: fds[0], w: fds[1]}, nil
}

func givePipe(p *pipe) {
	pipes.mu.Lock()
	if len(pipes.free) < keepPipes {
		pipes.free = append(pipes.free, p)
		p = nil
	}
	pipes.mu.Unlock()
	if p != nil {
		p.close()
	}
}

// transfer carries bytes until src ends (nil) or one of the two fails.
func transfer(dst, src net.Conn, count func(int)) error {
	d, ok := dst.(*net.TCPConn)
	if !ok {
		return copyBytes(dst, src, count)
	}
	s, ok := src.(*net.TCPConn)
	if !ok {
		return copyBytes(dst, src, count)
	}
	to, err := d.SyscallConn()
	if err != nil {
		return err
	}
	from, err := s.SyscallConn()
	if err != nil {
		return err
	}
	m := &mover{to: to, from: from, dst: d}
	return m.run(count)
}

// mover is one direction. It holds a pipe, or where none can be had a buffer,
// only while bytes are on their way.
type mover struct {
	to, from syscall.RawConn
	dst      *net.TCPConn

	pipe *pipe
	buf  *[]byte
	n    int   // bytes in pipe or buf
	err  error // of the last system call
}

func (m *mover) run(count func(int)) error {
	defer m.drop()
	fill, drain := m.fill, m.drain // bound once: no garbage per chunk
	for {
		if err := m.from.Read(fill); err != nil {
			return err
		}
		if m.err != nil || m.n == 0 {
			return m.err
		}
		n := m.n
		if m.pipe == nil {
			if _, err := m.dst.Write((*m.buf)[:n]); err != nil {
				return err
			}
			m.n = 0
		}
		for m.n > 0 {
			if err := m.to.Write(drain); err != nil {
				return err
			}
			if m.err != nil {
				return m.err
			}
		}
		count(n)
	}
}

// fill takes what the source has. It returns false, holding nothing, where the
// source is empty: RawConn.Read then waits and calls it again.
func (m *mover) fill(fd uintptr) bool {
	if m.pipe == nil {
		p, err := takePipe()
		if err != nil {
			return m.fillBuffer(int(fd))
		}
		m.pipe = p
	}
	if m.buf != nil {
		buffers.Put(m.buf)
		m.buf = nil
	}
	for {
		n, err := splice(int(fd), m.pipe.w, pipeSize)
		if err == unix.EINTR {
			continue
		}
		return m.filled("splice", n, err)
	}
}

func (m *mover) fillBuffer(fd int) bool {
	if m.buf == nil {
		m.buf = buffers.Get().(*[]byte)
	}
	for {
		n, err := unix.Read(fd, *m.buf)
		if err == unix.EINTR {
			continue
		}
		return m.filled("read", n, err)
	}
}

func (m *mover) filled(call string, n int, err error) bool {
	if err == unix.EAGAIN {
		m.drop()
		return false
	}
	m.n, m.err = max(n, 0), os.NewSyscallError(call, err)
	return true
}

func (m *mover) drain(fd uintptr) bool {
	for {
		n, err := splice(m.pipe.r, int(fd), m.n)
		switch err {
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			return false
		}
		m.n, m.err = m.n-n, os.NewSyscallError("splice", err)
		if err == nil && n == 0 {
			m.err = os.NewSyscallError("splice", unix.EPIPE)
		}
		return true
	}
}

// splice moves up to n bytes and does not wait. The runtime is not told of the
// call: it would wake its watching thread for each, which costs more.
func splice(from, to, n int) (int, error) {
	moved, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), spliceFlags)
	if errno != 0 {
		return 0, errno
	}
	return int(moved), nil
}

// drop gives back what is held; a pipe with bytes in it is thrown away.
func (m *mover) drop() {
	if m.pipe != nil {
		if m.n > 0 {
			m.pipe.close()
		} else {
			givePipe(m.pipe)
		}
	}
	if m.buf != nil {
		buffers.Put(m.buf)
	}
	m.pipe, m.buf = nil, nil
}

func surplus(c net.Conn) bool {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return true
	}
	empty := false
	err = raw.Read(func(fd uintptr) bool {
		var one [1]byte
		_, _, err := unix.Recvfrom(int(fd), one[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		empty = err == unix.EAGAIN
		return true
	})
	return err != nil || !empty
}
