package procs

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// worth is what there must be to give back: less is not worth a collection.
	worth = 32 << 20
	// stirred is what must have been allocated since the last time, else what is
	// held is in use, as that of many streams that rest is.
	stirred = 16 << 20
)

// releaser gives memory back that a load has left behind. The runtime would keep
// it: a process at rest allocates nothing, so nothing is collected for minutes.
// The zero value is ready.
type releaser struct{ allocated uint64 }

// look is called when the process rests.
func (r *releaser) look() {
	held, allocated := heap()
	if held < worth || allocated-r.allocated < stirred {
		return
	}
	debug.FreeOSMemory()
	_, r.allocated = heap()
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
