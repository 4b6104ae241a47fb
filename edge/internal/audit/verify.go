package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxLine is more than any line that Log writes.
const maxLine = 1 << 20

// lineReader reads whole lines; what stands after the last newline is left out.
type lineReader struct {
	r *bufio.Reader
	// rest is how many bytes stood after the last newline.
	rest int
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next gives a line without its newline, or io.EOF.
func (l *lineReader) next() ([]byte, error) {
	var line []byte
	for {
		part, err := l.r.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case err == io.EOF:
			l.rest = len(line)
			return nil, io.EOF
		case err != bufio.ErrBufferFull:
			return nil, err
		case len(line) > maxLine:
			return nil, fmt.Errorf("line of more than %d bytes", maxLine)
		}
	}
}

// Summary is what Inspect found.
type Summary struct {
	Segments int    `json:"segments"`
	Lines    uint64 `json:"lines"`
	FirstSeq uint64 `json:"first_seq"` // 0 in an empty log
	LastSeq  uint64 `json:"last_seq"`
	LastHash string `json:"last_hash"`
	// Torn is how many bytes stand after the last whole line: a line that is just
	// being written, or that a crash has torn.
	Torn int `json:"torn_bytes"`
}

// BrokenError says where the chain breaks.
type BrokenError struct {
	File string
	Line int    // in File, from 1
	Why  string // what does not fit
}

// Error names file, line and what does not fit.
func (e *BrokenError) Error() string {
	return fmt.Sprintf("audit log is broken at %s:%d: %s", e.File, e.Line, e.Why)
}

// Verify checks the chain of the log at path, all segments.
func Verify(path string) error {
	_, err := Inspect(path)
	return err
}

// Inspect checks the chain and says how far it goes. The first segment that is
// there may begin anywhere: older ones may have been moved away.
func Inspect(path string) (Summary, error) {
	var sum Summary
	all, err := segments(path)
	if err != nil {
		return sum, fmt.Errorf("verify audit log %s: %w", path, err)
	}
	for _, s := range all {
		err := sum.inspect(s)
		if errors.Is(err, fs.ErrNotExist) && s.first == 0 && sum.Segments > 0 {
			continue // between the two steps of a rotation
		}
		if err != nil {
			return sum, fmt.Errorf("verify audit log: %w", err)
		}
	}
	return sum, nil
}

func (s *Summary) inspect(seg segment) error {
	f, err := os.Open(seg.path)
	if err != nil {
		return err
	}
	defer f.Close()
	s.Segments++
	broken := func(n int, format string, args ...any) error {
		return &BrokenError{File: seg.path, Line: n, Why: fmt.Sprintf(format, args...)}
	}
	r := newLineReader(f)
	for n := 1; ; n++ {
		line, err := r.next()
		if err == io.EOF {
			if s.Torn = r.rest; s.Torn > 0 && seg.first != 0 {
				return broken(n, "a full segment ends in the middle of a line")
			}
			return nil
		}
		if err != nil {
			return broken(n, "%v", err)
		}
		at, prev, err := unline(line)
		switch {
		case err != nil:
			return broken(n, "%v", err)
		case n == 1 && seg.first != 0 && at.seq != seg.first:
			return broken(n, "it has sequence number %d, the segment's name says %d", at.seq, seg.first)
		case s.Lines == 0 && at.seq == 1 && prev != "":
			return broken(n, "the first line refers to one before it")
		case s.Lines > 0 && at.seq != s.LastSeq+1:
			return broken(n, "sequence number %d follows %d: lines are missing", at.seq, s.LastSeq)
		case s.Lines > 0 && prev != s.LastHash:
			return broken(n, "it does not follow the line before it")
		case s.Lines == 0:
			s.FirstSeq = at.seq
		}
		s.Lines, s.LastSeq, s.LastHash = s.Lines+1, at.seq, at.hash
	}
}

// Inspect is the function Inspect for the open log.
func (l *Log) Inspect() (Summary, error) { return Inspect(l.path) }
