package trunk

import (
	"time"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/framer"
)

// channel is a yamux stream as a carrier has it: its frames are written by the
// framer, its bytes counted by the policer.
type channel struct {
	framer *framer.Framer
	yamux  *yamux.Stream
}

// Read gives what came on the stream.
func (c *channel) Read(p []byte) (int, error) {
	n, err := c.yamux.Read(p)
	if err == yamux.ErrTimeout {
		err = carrier.ErrLate
	}
	return n, err
}

// Took counts what is not unread any more.
func (c *channel) Took(n int) { c.framer.Police().Read(n) }

// Put writes frames as one of yamux.
func (c *channel) Put(frames []byte, hold bool) error {
	return c.framer.Send(c.yamux.StreamID(), frames, hold)
}

// Await bounds how long nothing may come.
func (c *channel) Await(wait time.Duration) {
	var until time.Time
	if wait > 0 {
		until = time.Now().Add(wait)
	}
	c.yamux.SetReadDeadline(until)
}

// CloseWrite sends yamux's FIN.
func (c *channel) CloseWrite() error { return c.yamux.Close() }

// Shrink gives yamux's buffer back.
func (c *channel) Shrink() { c.yamux.Shrink() }
