package procs

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// worth is what the heap must hold: the runtime itself does not collect less.
	worth = 4 << 20
	// stirred is what must have been allocated since the last time, and a quarter
	// of what is held: else that is in use, as that of many streams that rest is.
	stirred = 4 << 20
	// quiet is what a process at rest may allocate between two looks: what goes on
	// allocating has use for what it holds.
	quiet = 256 << 10
)

// releaser gives memory back that a load has left behind. The runtime would keep
// it: a process at rest allocates nothing, so nothing is collected for minutes.
// The zero value is ready.
type releaser struct {
	seen     uint64 // allocated at the last look
	released uint64 // allocated at the last release
}

// look is called when the process rests.
func (r *releaser) look() {
	held, allocated := heap()
	rests := allocated-r.seen < quiet
	r.seen = allocated
	if !rests || held < worth || allocated-r.released < max(stirred, held/4) {
		return
	}
	debug.FreeOSMemory()
	_, r.released = heap()
}

// heap is what the heap holds of the machine's memory, and what was ever allocated.
func heap() (held, allocated uint64) {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64() + s[2].Value.Uint64(), s[3].Value.Uint64()
}
