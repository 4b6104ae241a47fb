// Package listing has the lists of streams: those that a daemon lists in its hello
// and, where they are many, in the messages after it; and those that an
// administrator sees.
//
// Concurrency: a List belongs to one goroutine, a Mark to any.
//
// Source: docs/protocol.md, rule 10.
package listing

import (
	"sync/atomic"

	"github.com/sallyport/sallyport/wire"
)

// max bounds the streams that one daemon lists: more than its trunks carry.
const max = 64 << 10

// List is what was listed so far. Its zero value expects nothing.
type List struct {
	refs []wire.StreamRef
	more bool
}

// Begin takes the hello.
func (l *List) Begin(m *wire.Hello) { l.refs, l.more = m.Streams, m.More }

// Add goes on; ok is false where nothing more was to come, or too much does, and
// whole has the list when it is complete.
func (l *List) Add(m *wire.Streams) (whole []wire.StreamRef, ok bool) {
	if !l.more || len(l.refs)+len(m.Streams) > max {
		return nil, false
	}
	l.refs, l.more = append(l.refs, m.Streams...), m.More
	if !l.more {
		whole, l.refs = l.refs, nil
	}
	return whole, true
}

// Mark says what became of a list. Its zero value is that it is not known yet.
type Mark struct{ whole atomic.Bool }

// Whole says that every stream which the daemon lists has its row.
func (m *Mark) Whole() bool { return m.whole.Load() }

// SetWhole is explained at Whole.
func (m *Mark) SetWhole(whole bool) { m.whole.Store(whole) }
