package terminal

import (
	"bufio"
	"context"
	"io"
)

// lineReader reads the lines that a person types. Its goroutine cannot be
// stopped while the terminal says nothing; it ends with the input or the process.
type lineReader struct {
	lines chan string
	err   error // set before lines is closed
}

func newLineReader(r io.Reader) *lineReader {
	l := &lineReader{lines: make(chan string)}
	go l.run(r)
	return l
}

func (l *lineReader) run(r io.Reader) {
	defer close(l.lines)
	s := bufio.NewScanner(r)
	for s.Scan() {
		l.lines <- s.Text()
	}
	l.err = s.Err()
}

// next is the next line, io.EOF after the last.
func (l *lineReader) next(ctx context.Context) (string, error) {
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case line, ok := <-l.lines:
		if ok {
			return line, nil
		}
		if l.err != nil {
			return "", l.err
		}
		return "", io.EOF
	}
}
