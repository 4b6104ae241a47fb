package stream

import (
	"io"

	"github.com/sallyport/sallyport/wire/socket"
)

// sink is where DeliverTo delivers. busy belongs to mu; whoever sets it
// delivers, and nobody else touches the rest meanwhile.
type sink struct {
	w     io.Writer
	quick *socket.Writer // nil where w cannot be written to without waiting
	end   func(delivered uint64, err error)
	busy  bool
}

// DeliverTo gives w everything that the other end sends until its FIN, like
// WriteTo, but does not wait: the carrier's reader writes to w itself, as far as
// w takes it at once, so that an idle stream has no goroutine for it and a byte
// wakes one less. Where w takes nothing more, a goroutine waits for it as long.
// What w has accepted counts as delivered.
//
// end is called once: with nil when all was delivered, else with the error of w
// or of the stream. It must not wait. It is not to be used together with Read or
// WriteTo.
func (s *Stream) DeliverTo(w io.Writer, end func(delivered uint64, err error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sink = &sink{w: w, quick: socket.NewWriter(w), end: end}
	if s.over || s.state.In.Len() > 0 || s.state.In.FinSeen() {
		s.wakeSinkLocked()
	}
}

// wakeSinkLocked has a goroutine deliver, unless one does.
func (s *Stream) wakeSinkLocked() {
	if s.sink != nil && !s.sink.busy {
		s.sink.busy = true
		go s.drain(s.sink, true) // ends when nothing waits, with the stream, or with an error of w
	}
}

// pump delivers what has come. It belongs to the carrier's reader and does not
// wait.
func (s *Stream) pump() {
	s.mu.Lock()
	k := s.sink
	mine := k != nil && !k.busy
	if mine {
		k.busy = true
	}
	s.mu.Unlock()
	if mine && (k.quick == nil || !s.drain(k, false)) {
		go s.drain(k, true) // as in wakeSinkLocked
	}
}

// drain delivers until nothing is there; false where it would have to wait and
// is not to. Its caller has made the sink busy.
func (s *Stream) drain(k *sink, wait bool) bool {
	for {
		s.mu.Lock()
		ready, err := s.readyLocked()
		if !ready && err == nil {
			k.busy = false
			s.mu.Unlock()
			return true
		}
		if err != nil {
			s.endSink(k, err)
			return true
		}
		chunk, b := s.state.In.Next()
		s.mu.Unlock()
		var n int
		if wait {
			n, err = k.w.Write(b)
		} else {
			n, err = k.quick.Write(b)
		}
		if s.took(chunk, n) {
			if wait {
				s.flush()
			} else {
				s.mux.urge(s)
			}
		}
		if err != nil {
			s.mu.Lock()
			s.endSink(k, err)
			return true
		}
		if n < len(b) && !wait {
			return false
		}
	}
}

// endSink takes the sink off and says why. It is called with mu held, and
// gives it up.
func (s *Stream) endSink(k *sink, err error) {
	s.sink = nil
	delivered := s.state.In.Delivered()
	s.mu.Unlock()
	if err == io.EOF {
		err = nil
	}
	k.end(delivered, err)
}
