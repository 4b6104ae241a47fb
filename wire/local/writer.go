package local

import (
	"io"
	"sync"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/socket"
)

// Outlet is a stream as a Writer sees it.
type Outlet interface {
	// WaitRoom waits until something may be sent, and says how much; want would be.
	// It ends, too, where the probe finds the socket broken.
	WaitRoom(p *socket.Probe, want int) (int, error)
	// Send sends a chunk, and gives it away.
	Send(chunk *envelope.Chunk, p *socket.Probe) error
}

// Writer sends on an Outlet, one Write or ReadFrom at a time.
type Writer struct {
	mu   sync.Mutex // before the outlet's lock
	bulk bool       // the last read of the local socket was large
}

// Write sends payload.
func (w *Writer) Write(to Outlet, p []byte) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n < len(p) {
		room, err := to.WaitRoom(nil, len(p)-n)
		if err != nil {
			return n, err
		}
		chunk := envelope.NewChunk(min(room, len(p)-n))
		k := copy(chunk.Space(), p[n:][:min(room, len(p)-n)])
		chunk.Grow(k)
		if err := to.Send(chunk, nil); err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// ReadFrom sends everything that r gives until its end. While it waits for a
// socket it holds no buffer.
func (w *Writer) ReadFrom(to Outlet, r io.Reader, probe *socket.Probe) (total int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var chunk *envelope.Chunk
	room := 0
	src := socket.NewReader(r,
		func() []byte {
			n := min(room, w.want())
			chunk = envelope.NewChunk(n)
			return chunk.Space()[:min(n, len(chunk.Space()))]
		},
		func() { chunk.Free(); chunk = nil })
	for {
		if room, err = to.WaitRoom(probe, w.want()); err != nil {
			return total, err
		}
		n, rerr := src.Read()
		if n > 0 {
			w.bulk = n >= firstRead
			chunk.Grow(n)
			if err := to.Send(chunk, probe); err != nil {
				return total, err
			}
			total += int64(n)
		}
		if rerr == io.EOF {
			return total, nil
		}
		if rerr != nil {
			return total, rerr
		}
	}
}

// firstRead is what a small chunk takes; a read that fills it makes the next
// one large.
const firstRead = 4<<10 - envelope.Headroom

// want is how much the next read is worth.
func (w *Writer) want() int {
	if w.bulk {
		return envelope.MaxPayload
	}
	return firstRead
}
