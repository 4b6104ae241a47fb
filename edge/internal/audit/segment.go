package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// seqDigits is how many digits of a segment's first sequence number its name has.
const seqDigits = 12

// segmentName is the name that a full segment gets.
func segmentName(path string, first uint64) string {
	return fmt.Sprintf("%s.%0*d", path, seqDigits, first)
}

// segment is one file of the chain.
type segment struct {
	path  string
	first uint64 // 0: the present one
}

// segments are the files of the log at path, oldest first, the present one last.
func segments(path string) ([]segment, error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		if first, err := strconv.ParseUint(digits, 10, 64); ok && err == nil && len(digits) >= seqDigits {
			all = append(all, segment{filepath.Join(filepath.Dir(path), e.Name()), first})
		}
	}
	slices.SortFunc(all, func(a, b segment) int {
		if a.first < b.first {
			return -1
		}
		return 1
	})
	return append(all, segment{path: path}), nil
}

// resume opens the present segment and finds where the chain stands. It gives
// the bytes of a torn last line that it has set aside.
func (l *Log) resume() (torn int, err error) {
	all, err := segments(l.path)
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := syncDir(filepath.Dir(l.path)); err != nil {
		return 0, err
	}
	if torn, err = l.setAside(f); err != nil {
		return 0, err
	}
	l.f = f
	for i := len(all) - 1; i >= 0; i-- { // the present one is empty right after a rotation
		line, err := lastLine(all[i].path)
		if err != nil {
			return 0, err
		}
		if line == nil {
			continue
		}
		if l.head, _, err = unline(line); err != nil {
			return 0, fmt.Errorf("last line of %s: %w; check with sallyport-edge audit verify, and move the log away to begin a new one", all[i].path, err)
		}
		break
	}
	l.first, err = firstSeq(f, l.head.seq+1)
	return torn, err
}

// setAside moves what stands after the last newline to FILE.torn.
func (l *Log) setAside(f *os.File) (int, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	end, err := lastNewline(f, info.Size())
	if err != nil || end == info.Size() {
		l.size = end
		return 0, err
	}
	rest, err := io.ReadAll(io.NewSectionReader(f, end, info.Size()-end))
	if err != nil {
		return 0, err
	}
	if err := appendSynced(l.path+".torn", append(rest, '\n')); err != nil {
		return 0, err
	}
	if err := f.Truncate(end); err != nil {
		return 0, err
	}
	l.size = end
	return len(rest), f.Sync()
}

func appendSynced(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(data)
	return errors.Join(err, f.Sync())
}

// lastNewline gives the offset after the last newline before size, 0 without one.
func lastNewline(r io.ReaderAt, size int64) (int64, error) {
	const step = 64 << 10
	buf := make([]byte, step)
	for end := size; end > 0; {
		begin := max(0, end-step)
		if _, err := r.ReadAt(buf[:end-begin], begin); err != nil && err != io.EOF {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:end-begin], '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		end = begin
	}
	return 0, nil
}

// lastLine is the last whole line without its newline, nil where there is none
// or no file.
func lastLine(path string) ([]byte, error) {
	lines, err := lastLines(path, 1)
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	return lines[0], nil
}

// lastLines are the last n whole lines of a file. A file that is not there has none.
func lastLines(path string, n int) ([][]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return linesBefore(f, info.Size(), n)
}

// linesBefore are the last n whole lines of the first limit bytes.
func linesBefore(f io.ReaderAt, limit int64, n int) ([][]byte, error) {
	end, err := lastNewline(f, limit)
	if err != nil || end == 0 || n <= 0 {
		return nil, err
	}
	for read := int64(64 << 10); ; read *= 4 {
		begin := max(0, end-read)
		data := make([]byte, end-begin)
		if _, err := f.ReadAt(data, begin); err != nil && err != io.EOF {
			return nil, err
		}
		lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
		if begin > 0 {
			lines = lines[1:] // the first is the end of one that begins before
		}
		if len(lines) >= n || begin == 0 {
			return lines[max(0, len(lines)-n):], nil
		}
	}
}

// firstSeq is the sequence number of the first line of a segment; next where it
// is empty.
func firstSeq(f *os.File, next uint64) (uint64, error) {
	r := newLineReader(f)
	line, err := r.next()
	if err == io.EOF {
		return next, nil
	}
	if err != nil {
		return 0, err
	}
	at, _, err := unline(line)
	if err != nil {
		return 0, fmt.Errorf("first line: %w", err)
	}
	return at.seq, nil
}

// rotateLocked begins a new segment where the present one is full.
func (l *Log) rotateLocked() error {
	if l.size < l.segment {
		return nil
	}
	if err := os.Rename(l.path, segmentName(l.path, l.first)); err != nil {
		return fmt.Errorf("begin a new segment: %w", err)
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = syncDir(filepath.Dir(l.path))
	}
	if err != nil { // go on in the old one
		return errors.Join(fmt.Errorf("begin a new segment: %w", err), os.Rename(segmentName(l.path, l.first), l.path))
	}
	old := l.f
	l.f, l.first, l.size = f, l.head.seq+1, 0
	if err := old.Close(); err != nil {
		l.log.Error("audit segment could not be closed", "error", err)
	}
	return nil
}

// syncDir makes a rename or a new file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncHandle(d), d.Close())
}
