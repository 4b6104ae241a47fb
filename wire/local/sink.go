package local

import (
	"io"
	"sync"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/socket"
)

// Inlet is a stream as a Sink sees it.
type Inlet interface {
	// NextLocked gives what is to be delivered, no chunk where nothing is there
	// yet. The error is the end of it, io.EOF the one in order.
	NextLocked() (*envelope.Chunk, []byte, error)
	// Took counts bytes as delivered, and acknowledges them where that is due. It
	// waits for the carrier only with wait.
	Took(chunk *envelope.Chunk, n int, wait bool)
	// EndedLocked takes the sink off, and says how much was delivered.
	EndedLocked() uint64
}

// Sink delivers what an Inlet has. Whoever sets busy delivers, and nobody else
// touches the rest meanwhile.
type Sink struct {
	mu    *sync.Mutex // the inlet's
	in    Inlet
	w     io.Writer
	quick *socket.Writer // nil where w cannot be written to without waiting
	end   func(delivered uint64, err error)
	busy  bool
}

// NewSink makes a sink that writes to w. mu is the lock of in. end is called once,
// with nil when all was delivered, and must not wait.
func NewSink(mu *sync.Mutex, in Inlet, w io.Writer, end func(delivered uint64, err error)) *Sink {
	return &Sink{mu: mu, in: in, w: w, quick: socket.NewWriter(w), end: end}
}

// WakeLocked has a goroutine deliver, unless one does.
func (k *Sink) WakeLocked() {
	if !k.busy {
		k.busy = true
		go k.drain(true) // ends when nothing waits, with the stream, or with an error of w
	}
}

// TakeLocked says whether it is the caller's to Deliver.
func (k *Sink) TakeLocked() bool {
	mine := !k.busy
	k.busy = true
	return mine
}

// Deliver delivers what has come, as far as w takes it at once; for the rest it
// starts a goroutine. It does not wait.
func (k *Sink) Deliver() {
	if k.quick == nil || !k.drain(false) {
		go k.drain(true) // as in WakeLocked
	}
}

// drain delivers until nothing is there; false where it would have to wait and
// is not to. Its caller has made the sink busy.
func (k *Sink) drain(wait bool) bool {
	for {
		k.mu.Lock()
		chunk, b, err := k.in.NextLocked()
		if err != nil {
			k.finish(err)
			return true
		}
		if chunk == nil {
			k.busy = false
			k.mu.Unlock()
			return true
		}
		k.mu.Unlock()
		var n int
		if wait {
			n, err = k.w.Write(b)
		} else {
			n, err = k.quick.Write(b)
		}
		k.in.Took(chunk, n, wait)
		if err != nil {
			k.mu.Lock()
			k.finish(err)
			return true
		}
		if n < len(b) && !wait {
			return false
		}
	}
}

// finish says that the sink is done, and why. It is called with mu held, and gives
// it up. busy stays, so that nothing begins again.
func (k *Sink) finish(err error) {
	delivered := k.in.EndedLocked()
	k.mu.Unlock()
	if err == io.EOF {
		err = nil
	}
	k.end(delivered, err)
}
