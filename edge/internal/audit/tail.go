package audit

import (
	"context"
	"fmt"
	"io"
	"os"
)

// MaxTail bounds how many lines Tail looks back.
const MaxTail = 10_000

// Tail gives the last n lines (at most MaxTail) to each, oldest first and without
// their newline, and with follow those that come, until ctx ends (then it returns
// nil) or each fails. It gives durable lines only.
func (l *Log) Tail(ctx context.Context, n int, follow bool, each func(line []byte) error) error {
	l.mu.Lock()
	at := position{seq: l.head.seq, first: l.first, offset: l.size}
	l.mu.Unlock()
	lines, err := l.last(at, min(max(n, 0), MaxTail))
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	for _, line := range lines {
		if err := each(line); err != nil {
			return err
		}
	}
	for follow {
		l.mu.Lock()
		changed, closed := l.changed, l.closed // taken before reading, so that nothing is missed
		l.mu.Unlock()
		if err := l.catchUp(&at, each); err != nil {
			return err
		}
		if closed {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// position is how far a reader has come: after the line seq, at offset in the
// segment whose first line is first.
type position struct {
	seq    uint64
	first  uint64
	offset int64
}

// last gives the n lines before at, from as many segments as it takes.
func (l *Log) last(at position, n int) ([][]byte, error) {
	f, err := l.openSegment(at.first)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := linesBefore(f, at.offset, n)
	if err != nil {
		return nil, err
	}
	all, err := segments(l.path)
	if err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0 && len(lines) < n; i-- {
		if all[i].first == 0 || all[i].first >= at.first {
			continue
		}
		older, err := lastLines(all[i].path, n-len(lines))
		if err != nil {
			return nil, err
		}
		lines = append(older, lines...)
	}
	return lines, nil
}

// catchUp gives what became durable after at.
func (l *Log) catchUp(at *position, each func([]byte) error) error {
	for {
		l.mu.Lock()
		size, present, seq := l.size, l.first, l.head.seq
		l.mu.Unlock()
		limit := size
		if at.first != present {
			limit = -1 // a full segment, all of it
		}
		if err := l.readFrom(at, limit, each); err != nil {
			return err
		}
		if at.first == present || at.seq >= seq {
			return nil
		}
		at.first, at.offset = at.seq+1, 0
	}
}

// readFrom gives the lines between at.offset and limit (-1: the end).
func (l *Log) readFrom(at *position, limit int64, each func([]byte) error) error {
	f, err := l.openSegment(at.first)
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	defer f.Close()
	if limit < 0 {
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		limit = info.Size()
	}
	r := newLineReader(io.NewSectionReader(f, at.offset, limit-at.offset))
	for {
		line, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
		at.offset += int64(len(line)) + 1
		at.seq++
		if err := each(line); err != nil {
			return err
		}
	}
}

// openSegment opens under mu, so that no rotation renames the file between
// finding its name and opening it.
func (l *Log) openSegment(first uint64) (*os.File, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first == l.first {
		return os.Open(l.path)
	}
	return os.Open(segmentName(l.path, first))
}
