package store

import (
	"context"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/edge/internal/store/record"
)

// watchRead is about how many events a watcher reads at once.
const watchRead = 256

// watcher feeds one watch. It reads history by itself, so that a slow one holds
// up nobody and costs no memory; it ends when history has overtaken it.
type watcher struct {
	b      *Bolt
	prefix string
	next   int64 // the first revision that has not been sent
	out    chan Event
}

// Watch sends the changes of keys under prefix beginning with those of from (0:
// the next change).
func (b *Bolt) Watch(ctx context.Context, prefix string, from int64) (<-chan Event, error) {
	w := &watcher{b: b, prefix: prefix, next: from, out: make(chan Event)}
	err := b.view(ctx, func(tx *bolt.Tx) error {
		if from == 0 {
			w.next = metaNumber(tx, metaRevision) + 1
		}
		return w.check(tx)
	})
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	b.watchers.Add(1)
	go w.run(ctx) // ends with ctx or Close
	return w.out, nil
}

func (w *watcher) check(tx *bolt.Tx) error {
	if w.next <= metaNumber(tx, metaCompacted) {
		return fmt.Errorf("watch from revision %d: %w", w.next, ErrCompacted)
	}
	return nil
}

func (w *watcher) run(ctx context.Context) {
	defer w.b.watchers.Done()
	defer close(w.out)
	for {
		w.b.mu.Lock()
		changed := w.b.changed // taken before reading, so that nothing is missed
		w.b.mu.Unlock()
		events, more, err := w.read(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.send(ctx, Event{Type: EventEnd, Err: err})
			}
			return
		}
		for _, e := range events {
			if !w.send(ctx, e) {
				return
			}
		}
		if more {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		case <-w.b.done:
			return
		}
	}
}

// send is false when the watch is over.
func (w *watcher) send(ctx context.Context, e Event) bool {
	select {
	case w.out <- e:
		return true
	case <-ctx.Done():
	case <-w.b.done:
	}
	return false
}

// read gives the next events by whole revisions, and whether there are more.
func (w *watcher) read(ctx context.Context) (events []Event, more bool, err error) {
	err = w.b.view(ctx, func(tx *bolt.Tx) error {
		if err := w.check(tx); err != nil {
			return err
		}
		c := tx.Bucket(bucketHistory).Cursor()
		for k, v := c.Seek(number(w.next)); k != nil; k, v = c.Next() {
			if len(events) >= watchRead && revisionOf(k) >= w.next {
				more = true
				return nil
			}
			change, err := record.DecodeChange(k, v)
			if err != nil {
				return err
			}
			w.next = revisionOf(k) + 1
			if strings.HasPrefix(change.KV.Key, w.prefix) {
				events = append(events, eventOf(change))
			}
		}
		return nil
	})
	return events, more, err
}

func eventOf(c record.Change) Event {
	e := Event{Type: EventPut, KV: c.KV}
	if c.Delete {
		e.Type = EventDelete
	}
	return e
}
