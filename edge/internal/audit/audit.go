package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store/group"
)

// segmentBytes is when a new segment is begun: large enough that there are few,
// small enough that one is quickly read.
const segmentBytes = 64 << 20

const (
	// maxNotes bounds what Note queues while the disk is slow.
	maxNotes = 4096
	// gatherNotes is how long a note may wait for company: for a Write, whose
	// fsync takes it along, or for other notes. Without it the fsync for the end
	// of one stream stands in the way of the start of the next.
	gatherNotes = 50 * time.Millisecond
)

// ErrClosed: the log has been closed.
var ErrClosed = errors.New("audit log is closed")

// Log is the open audit log.
type Log struct {
	path    string
	edge    string
	log     *slog.Logger
	segment int64 // segmentBytes; tests set less
	commits *group.Group[Record]
	wake    chan struct{} // one slot: there are notes
	full    chan struct{} // one slot: there are many

	// mu guards the present segment; it is held while that is written and synced.
	mu      sync.Mutex
	f       file
	head    head
	first   uint64        // sequence number of the segment's first line
	size    int64         // durable bytes of the segment
	changed chan struct{} // closed and replaced after each commit
	closed  bool

	// noteMu guards what Note queues; taken after mu, and never held for long.
	noteMu  sync.Mutex
	notes   []Record
	dropped uint64 // notes for which there was no room
	ended   bool   // nobody will write notes any more
}

// head is where the chain stands.
type head struct {
	seq  uint64 // of the last line, 0 before the first
	hash string // of the last line, "" before the first
}

// file is what Log needs of an *os.File; tests make it fail.
type file interface {
	WriteAt(p []byte, off int64) (int, error)
	Sync() error
	Truncate(size int64) error
	Close() error
}

// Open opens or makes the log at path and continues its chain. A last line that
// a crash has torn is moved to FILE.torn; that is said in both logs.
func Open(path, edgeID string, log *slog.Logger) (*Log, error) {
	l := &Log{
		path:    path,
		edge:    edgeID,
		log:     log.With("audit", path),
		segment: segmentBytes,
		wake:    make(chan struct{}, 1),
		full:    make(chan struct{}, 1),
		changed: make(chan struct{}),
	}
	l.commits = group.New(l.commit)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	torn, err := l.resume()
	if err != nil {
		return nil, fmt.Errorf("open audit log %s: %w", path, err)
	}
	if torn > 0 {
		l.log.Warn("last audit line was torn by a crash and has been set aside", "bytes", torn, "to", path+".torn")
		l.Note(Record{Event: EventTorn, Outcome: OK, Counters: map[string]uint64{"bytes": uint64(torn)}})
	}
	return l, nil
}

// Write returns when the record is durable, or was not written. It may be
// given up by ctx only before it is taken.
func (l *Log) Write(ctx context.Context, r Record) error {
	if err := l.commits.Do(ctx, r); err != nil {
		return fmt.Errorf("write audit line %s: %w", r.Event, err)
	}
	return nil
}

// Note queues the record and does not wait. What does not fit is counted, and
// the count is a line of its own.
func (l *Log) Note(r Record) {
	r.Time = time.Now()
	l.noteMu.Lock()
	switch {
	case l.ended:
		l.log.Error("audit line came after the log was closed", "event", r.Event)
	case len(l.notes) >= maxNotes:
		l.dropped++
	default:
		l.notes = append(l.notes, r)
	}
	many := len(l.notes) >= maxNotes/2
	l.noteMu.Unlock()
	signal(l.wake)
	if many {
		signal(l.full)
	}
}

// retryNotes is the pause after notes could not be written.
const retryNotes = time.Second

// Run writes what is queued, until ctx ends; then it writes the rest and closes
// the log.
func (l *Log) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return l.close()
		case <-l.wake:
		}
		select {
		case <-ctx.Done():
			return l.close()
		case <-l.full:
		case <-time.After(gatherNotes):
		}
		if l.flush() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return l.close()
		case <-time.After(retryNotes):
			signal(l.wake)
		}
	}
}

// signal fills a channel of one slot.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *Log) close() error {
	l.noteMu.Lock()
	l.ended = true
	l.noteMu.Unlock()
	err := l.flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return err
	}
	l.closed = true
	l.announceLocked()
	return errors.Join(err, l.f.Close())
}

// flush commits the notes alone.
func (l *Log) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	err := l.appendLocked(nil)
	if err != nil {
		l.log.Error("audit lines could not be written", "error", err)
	}
	return err
}

// commit writes what was noted before, and the batch, with one fsync.
func (l *Log) commit(batch []*group.Work[Record]) {
	records := make([]Record, len(batch))
	for i, w := range batch {
		records[i] = w.What
	}
	l.mu.Lock()
	err := ErrClosed
	if !l.closed {
		err = l.appendLocked(records)
	}
	l.mu.Unlock()
	for _, w := range batch {
		w.Done(err)
	}
}

// appendLocked makes notes and records durable, or leaves chain and file as
// they were.
func (l *Log) appendLocked(records []Record) error {
	notes, dropped := l.takeNotes()
	err := l.chainLocked(notes, dropped, records)
	if err != nil {
		l.giveNotesBack(notes, dropped)
	}
	return err
}

func (l *Log) takeNotes() (notes []Record, dropped uint64) {
	l.noteMu.Lock()
	defer l.noteMu.Unlock()
	notes, dropped = l.notes, l.dropped
	l.notes, l.dropped = nil, 0
	return notes, dropped
}

func (l *Log) giveNotesBack(notes []Record, dropped uint64) {
	l.noteMu.Lock()
	defer l.noteMu.Unlock()
	l.notes = append(notes, l.notes...)
	l.dropped += dropped
}

func (l *Log) chainLocked(notes []Record, dropped uint64, records []Record) error {
	all := append(notes[:len(notes):len(notes)], records...)
	if dropped > 0 {
		all = append(all, Record{Event: EventDropped, Outcome: Failed, Counters: map[string]uint64{"lines": dropped}})
	}
	if len(all) == 0 {
		return nil
	}
	if err := l.rotateLocked(); err != nil {
		return err
	}
	head, data := l.head, []byte(nil)
	for _, r := range all {
		line, hash, err := l.line(r, head)
		if err != nil {
			return err
		}
		data = append(data, line...)
		head.seq, head.hash = head.seq+1, hash
	}
	if err := l.storeLocked(data); err != nil {
		return err
	}
	l.head, l.size = head, l.size+int64(len(data))
	l.announceLocked()
	return nil
}

// storeLocked writes at the durable end. What is half written is cut off again:
// the next line begins there, whether or not the cut succeeds.
func (l *Log) storeLocked(data []byte) error {
	_, err := l.f.WriteAt(data, l.size)
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		return errors.Join(err, l.f.Truncate(l.size))
	}
	return nil
}

func (l *Log) announceLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}
