package envelope

import "sync/atomic"

// Bounds of what windows take beyond InitialWindow a stream, for one trunk and for
// all of the process; and the same of what is kept for sending again.
const (
	TrunkWindows   = 64 << 20
	TrunkReplay    = 64 << 20
	ProcessWindows = 256 << 20
	ProcessReplay  = 256 << 20
)

var (
	processWindows = NewBudget(ProcessWindows, nil)
	processReplay  = NewBudget(ProcessReplay, nil)
)

// TrunkBudget is one for the windows of a trunk.
func TrunkBudget() *Budget { return NewBudget(TrunkWindows, processWindows) }

// ReplayBudget is one for what is kept for sending again of the streams that began on a
// trunk: another end that acknowledges nothing does not take all of the process's.
func ReplayBudget() *Budget { return NewBudget(TrunkReplay, processReplay) }

// Budget bounds what windows may take beyond InitialWindow each. It may stand
// under another one, which then bounds the sum.
type Budget struct {
	parent *Budget
	max    int64
	used   atomic.Int64
}

// NewBudget makes a budget of max bytes; parent may be nil.
func NewBudget(max int64, parent *Budget) *Budget { return &Budget{parent: parent, max: max} }

// Reserve takes n bytes where both this budget and its parent have them. A nil
// budget has none.
func (b *Budget) Reserve(n int) bool {
	if b == nil {
		return false
	}
	if b.used.Add(int64(n)) > b.max || b.parent != nil && !b.parent.Reserve(n) {
		b.used.Add(-int64(n))
		return false
	}
	return true
}

// take takes n bytes whether they are there or not.
func (b *Budget) take(n int) {
	if b != nil {
		b.used.Add(int64(n))
		b.parent.take(n)
	}
}

// Release gives n bytes back.
func (b *Budget) Release(n int) {
	if b == nil || n == 0 {
		return
	}
	b.used.Add(-int64(n))
	b.parent.Release(n)
}

// Used is what is taken.
func (b *Budget) Used() int64 { return b.used.Load() }
