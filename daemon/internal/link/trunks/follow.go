package trunks

import (
	"sync"

	"github.com/sallyport/sallyport/wire"
)

// followers are who is told what becomes of a stream whose trunk is lost. Its zero
// value has none.
type followers struct {
	mu   sync.Mutex
	byID map[wire.StreamID]func(expired bool)
}

// Follow has f called each time that a stream goes on with another trunk, since its
// own was lost, and where none came in time. f must not block. stop ends it.
func (p *Pool) Follow(id wire.StreamID, f func(expired bool)) (stop func()) {
	w := &p.followers
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byID == nil {
		w.byID = make(map[wire.StreamID]func(bool))
	}
	w.byID[id] = f
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.byID, id)
	}
}

func (w *followers) tell(id wire.StreamID, expired bool) {
	w.mu.Lock()
	f := w.byID[id]
	w.mu.Unlock()
	if f != nil {
		f(expired)
	}
}

// resumed tells that a stream goes on, unless its trunk lives: then it has moved.
func (p *Pool) resumed(from *trunk, s *wire.Stream) {
	p.mu.Lock()
	lost := from.lost
	p.mu.Unlock()
	if lost {
		p.followers.tell(s.ID(), false)
	}
}

// expired tells that a stream is given up, where that is because no trunk came in time.
func (p *Pool) expired(s *wire.Stream, r *wire.Reason) {
	if r.Code == wire.CodeCarrierLost {
		p.followers.tell(s.ID(), true)
	}
}
