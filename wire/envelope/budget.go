package envelope

import "sync/atomic"

// Bounds of the windows of all streams together and of what they keep for sending
// again: of one session, and of all of the process.
const (
	SessionBuffers = 64 << 20
	ProcessBuffers = 256 << 20
)

// share is how many quarters of a budget one kind of use may fill.
type share int64

const (
	// ofAll is for the least that a stream needs: it is always left room by the rest.
	ofAll share = 4
	// ofGrowth is for windows that grow and for what is kept.
	ofGrowth share = 3
)

// firstWindows are what a stream may begin with, the largest first: smaller where
// its session has many.
var firstWindows = [...]struct {
	size int
	of   share
}{{FirstWindow, 1}, {FirstWindow / 4, 2}, {LeastWindow, ofAll}}

var process = newBudget(ProcessBuffers, nil)

// Budget bounds the windows of the streams of one session and what they keep. It
// stands under that of the process, which then bounds the sum. A nil one has room
// for everything.
type Budget struct {
	parent *Budget
	max    int64
	used   atomic.Int64
}

// SessionBudget makes one for a session.
func SessionBudget() *Budget { return newBudget(SessionBuffers, process) }

func newBudget(max int64, parent *Budget) *Budget { return &Budget{parent: parent, max: max} }

// reserve takes n bytes where that leaves this budget and its parent filled to no
// more than the share.
func (b *Budget) reserve(n int, of share) bool {
	if b == nil {
		return true
	}
	if b.used.Add(int64(n)) > b.max/int64(ofAll)*int64(of) || !b.parent.reserve(n, of) {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

// release gives n bytes back.
func (b *Budget) release(n int) {
	if b == nil || n == 0 {
		return
	}
	b.used.Add(-int64(n))
	b.parent.release(n)
}

// Used is what is taken.
func (b *Budget) Used() int64 { return b.used.Load() }
