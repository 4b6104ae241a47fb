package local

// Hooks are what is to be called when a stream has come to something. Its owner
// guards it.
type Hooks struct {
	ended  []func()
	mark   uint64 // 0: none
	marked func()
}

// AfterEnd has f called by End, at once where that has been.
func (h *Hooks) AfterEnd(over bool, f func()) {
	if over {
		go f() // the caller's
		return
	}
	h.ended = append(h.ended, f)
}

// End calls what AfterEnd was given, in its order.
func (h *Hooks) End() {
	if last := h.ended; last != nil {
		go func() { // they may wait, and the owner's lock is held; ends with them
			for _, f := range last {
				f()
			}
		}()
	}
}

// At has f called once by Note of at least total; the last call counts.
func (h *Hooks) At(total uint64, f func()) { h.mark, h.marked = total, f }

// Note says how far the stream has come.
func (h *Hooks) Note(total uint64) {
	if h.mark > 0 && total >= h.mark {
		go h.marked() // the caller's
		h.mark, h.marked = 0, nil
	}
}
