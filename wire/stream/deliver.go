package stream

import (
	"io"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/local"
)

// DeliverTo gives w everything that the other end sends until its FIN, and does not
// wait: who reads the connection writes to w itself, as far as w takes it at once, so
// that an idle stream has no goroutine for it and a byte wakes one less. Where w takes
// nothing more, a goroutine waits for it as long. What w has accepted is delivered.
//
// end is called once, maybe before DeliverTo returns: with nil when all was delivered, else with
// the error of w or of the stream. It must not wait. It is not to be used together with Read.
func (s *Stream) DeliverTo(w io.Writer, end func(delivered uint64, err error)) {
	sink := local.NewSink(&s.mu, (*inlet)(s), w, end)
	s.mu.Lock()
	s.sink = sink
	mine := (s.over || s.state.In.Len() > 0 || s.state.In.FinSeen()) && sink.TakeLocked()
	s.mu.Unlock()
	if mine {
		sink.Deliver()
	}
}

// inlet is a stream as package local delivers from it.
type inlet Stream

// NextLocked gives what is to be delivered, no chunk where nothing is there.
func (i *inlet) NextLocked() (chunk *envelope.Chunk, b []byte, err error) {
	s := (*Stream)(i)
	ready, err := s.readyLocked()
	if ready && err == nil {
		chunk, b = s.state.In.Next()
	}
	return chunk, b, err
}

// Took counts bytes as delivered, and acknowledges them where that is due.
func (i *inlet) Took(chunk *envelope.Chunk, n int, wait bool) {
	(*Stream)(i).took(chunk, n, wait)
}

// EndedLocked takes the sink off, and says how much was delivered.
func (i *inlet) EndedLocked() (delivered uint64) {
	i.sink = nil
	return i.state.In.Delivered()
}
