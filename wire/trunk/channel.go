package trunk

import (
	"sync"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/wire/framer"
)

// channel is a yamux stream as a carrier writes to it: its frames are the framer's
// business, its end yamux's. What comes on it goes from the framer to the carrier.
type channel struct {
	framer *framer.Framer
	id     uint32

	mu     sync.Mutex
	yamux  *yamux.Stream // nil until yamux has given it (host)
	closed bool
}

// Put writes frames as one of yamux.
func (c *channel) Put(frames []byte, hold bool) error { return c.framer.Send(c.id, frames, hold) }

// CloseWrite sends yamux's FIN, as soon as yamux has the stream.
func (c *channel) CloseWrite() error {
	c.mu.Lock()
	c.closed = true
	y := c.yamux
	c.mu.Unlock()
	if y == nil {
		return nil
	}
	return y.Close()
}

// use gives the channel its stream (host). It may wait for the connection.
func (c *channel) use(y *yamux.Stream) {
	c.mu.Lock()
	c.yamux = y
	closed := c.closed
	c.mu.Unlock()
	if closed {
		y.Close()
	}
}

// lobby holds the channels of streams that the client has opened, until yamux gives the
// streams, which it does in the same order; those that it has reset it never gives.
type lobby struct {
	mu    sync.Mutex
	waits []*channel
}

func (l *lobby) enter(c *channel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waits = append(l.waits, c)
}

// leave takes out the channel of a stream, nil where there is none.
func (l *lobby) leave(id uint32) *channel {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.waits) > 0 && l.waits[0].id <= id {
		c := l.waits[0]
		l.waits = l.waits[1:]
		if len(l.waits) == 0 {
			l.waits = nil
		}
		if c.id == id {
			return c
		}
	}
	return nil
}
