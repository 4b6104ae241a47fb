// Package grave remembers streams that have ended while a daemon may still hold
// them parked: it must not find them alive when it comes back, and is to hear why.
//
// Concurrency: all methods may be called from any goroutine; nothing blocks.
package grave

import (
	"sync"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// max bounds those that ended by themselves; those that were cut are always kept.
const max = 64 << 10

// Yard is all of them. Use New.
type Yard struct {
	mu   sync.Mutex
	gone map[wire.StreamID]wire.Reason
}

// New makes an empty yard.
func New() *Yard { return &Yard{gone: make(map[wire.StreamID]wire.Reason)} }

// Bury keeps in mind for a while that a stream has ended. must is true where it
// was cut.
func (y *Yard) Bury(id wire.StreamID, why wire.Reason, d time.Duration, must bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !must && len(y.gone) >= max {
		return
	}
	y.gone[id] = why
	time.AfterFunc(d, func() {
		y.mu.Lock()
		defer y.mu.Unlock()
		delete(y.gone, id)
	})
}

// Find says why a stream has ended, nil where nothing is known of it.
func (y *Yard) Find(id wire.StreamID) *wire.Reason {
	y.mu.Lock()
	defer y.mu.Unlock()
	if why, ok := y.gone[id]; ok {
		return &why
	}
	return nil
}
