package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var discard = slog.New(slog.DiscardHandler)

// openLog opens and runs a log; stop ends Run and is called at the end anyway.
func openLog(t *testing.T, path string, change func(*Log)) (l *Log, stop func()) {
	t.Helper()
	l, err := Open(path, "edge-1", discard)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(l)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return l, stop
}

func write(t *testing.T, l *Log, events ...string) {
	t.Helper()
	for _, e := range events {
		if err := l.Write(t.Context(), Record{Event: e, Outcome: OK}); err != nil {
			t.Fatal(err)
		}
	}
}

func inspect(t *testing.T, path string) Summary {
	t.Helper()
	s, err := Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWriteReopenVerify(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sub", "audit.jsonl")
	l, stop := openLog(t, path, nil)
	write(t, l, "a", "b")
	l.Note(Record{Event: "noted"})
	stop()
	if err := l.Write(t.Context(), Record{Event: "late"}); !errors.Is(err, ErrClosed) {
		t.Fatalf("write after the end: %v", err)
	}
	l, stop = openLog(t, path, nil)
	write(t, l, "c")
	stop()
	if s := inspect(t, path); s.Lines != 4 || s.FirstSeq != 1 || s.LastSeq != 4 || s.LastHash != l.head.hash {
		t.Fatalf("got %+v", s)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var first Record
	if err := json.Unmarshal(data[:bytes.IndexByte(data, '\n')], &first); err != nil {
		t.Fatal(err)
	}
	if first.Event != "a" || first.Seq != 1 || first.Edge != "edge-1" || first.Time.IsZero() || first.Prev != "" {
		t.Fatalf("first line %+v", first)
	}
	for file, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v, %v", file, info.Mode(), err)
		}
	}
}

func TestDurableWhenWriteReturns(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, _ := openLog(t, path, nil)
	rec := &recorder{file: l.f}
	l.mu.Lock()
	l.f = rec
	l.mu.Unlock()
	var wg, begun sync.WaitGroup
	begun.Add(200)
	rec.first = begun.Wait // a disk that is slower than 200 writers
	for i := range 200 {
		wg.Go(func() {
			begun.Done()
			event := fmt.Sprintf("event-%03d.", i)
			if err := l.Write(t.Context(), Record{Event: event}); err != nil {
				t.Error(err)
			}
			if !rec.synced(event) {
				t.Errorf("%s was not on the disk when Write returned", event)
			}
		})
	}
	wg.Wait()
	if s := inspect(t, path); s.Lines != 200 {
		t.Fatalf("%d lines", s.Lines)
	}
	if rec.syncs >= 200 {
		t.Errorf("%d syncs for 200 writes at once: none was shared", rec.syncs)
	}
}

// recorder remembers what was written before the last sync, and fails when told to.
type recorder struct {
	file
	mu            sync.Mutex
	written, disk []byte
	syncs         int
	first         func() // the first sync waits for it; nil: for nothing
	failWrite     error  // and half of the data is written
	failSync      error
}

func (r *recorder) WriteAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failWrite != nil {
		n, _ := r.file.WriteAt(p[:len(p)/2], off)
		return n, r.failWrite
	}
	r.written = append(r.written, p...)
	return r.file.WriteAt(p, off)
}

func (r *recorder) Sync() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.syncs == 0 && r.first != nil {
		r.first()
	}
	if r.failSync != nil {
		return r.failSync
	}
	r.syncs++
	r.disk = append(r.disk[:0], r.written...)
	return r.file.Sync()
}

func (r *recorder) synced(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Contains(r.disk, []byte(text))
}

func TestFailedWriteLeavesTheChainWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, "edge-1", discard) // not running: notes wait for the next write
	if err != nil {
		t.Fatal(err)
	}
	write(t, l, "before")
	rec := &recorder{file: l.f}
	l.f = rec
	full, broken := errors.New("no space"), errors.New("sync failed")
	l.Note(Record{Event: "noted"})
	for _, c := range []struct{ write, sync error }{{full, nil}, {nil, broken}, {full, broken}} {
		rec.failWrite, rec.failSync = c.write, c.sync
		err := l.Write(t.Context(), Record{Event: "lost"})
		if !errors.Is(err, full) && !errors.Is(err, broken) {
			t.Fatalf("write to a failing disk: %v", err)
		}
		if s := inspect(t, path); s.Lines != 1 || s.Torn != 0 {
			t.Fatalf("after a failure: %+v", s)
		}
	}
	rec.failWrite, rec.failSync = nil, nil
	write(t, l, "after")
	if s := inspect(t, path); s.Lines != 3 {
		t.Fatalf("after recovery: %+v", s)
	}
	var events []string
	l.Tail(t.Context(), 10, false, func(line []byte) error {
		var r Record
		json.Unmarshal(line, &r)
		events = append(events, r.Event)
		return nil
	})
	if got := strings.Join(events, " "); got != "before noted after" {
		t.Fatalf("events %q", got)
	}
}

func TestTornLineIsSetAside(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "audit.jsonl")
	l, stop := openLog(t, whole, nil)
	write(t, l, "a", "b")
	stop()
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	second := bytes.IndexByte(data, '\n') + 1
	for _, cut := range []int{0, 1, second / 2, second - 1, second, second + 1, len(data) - 2, len(data) - 1, len(data)} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l, stop := openLog(t, path, nil)
		write(t, l, "next")
		stop()
		whole := bytes.LastIndexByte(data[:cut], '\n') + 1
		want := uint64(bytes.Count(data[:cut], []byte("\n")) + 1)
		aside, err := os.ReadFile(path + ".torn")
		if whole < cut {
			want++ // the line that says so
			if err != nil || string(aside) != string(data[whole:cut])+"\n" {
				t.Errorf("cut at %d: set aside %q, %v", cut, aside, err)
			}
		} else if !os.IsNotExist(err) {
			t.Errorf("cut at %d: %v although nothing was torn", cut, err)
		}
		if s := inspect(t, path); s.Lines != want || s.Torn != 0 {
			t.Errorf("cut at %d: %+v, want %d lines", cut, s, want)
		}
	}
}

func TestTampering(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "audit.jsonl")
	l, stop := openLog(t, whole, nil)
	write(t, l, "first", "second", "third", "fourth")
	stop()
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	forged, _, err := (&Log{edge: "edge-1"}).line(Record{Event: "forged"}, head{seq: 1, hash: l.head.hash})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, text, want string
	}{
		{"changed", strings.Replace(string(data), "second", "SECOND", 1), ":2: the line was changed"},
		{"removed", lines[0] + lines[2] + lines[3], ":2: sequence number 3 follows 1"},
		{"swapped", lines[0] + lines[2] + lines[1] + lines[3], ":2: sequence number 3 follows 1"},
		{"doubled", lines[0] + lines[0] + lines[1], ":2: sequence number 1 follows 1"},
		{"put in", lines[0] + string(forged) + lines[2], ":2: it does not follow the line before it"},
		{"no line", lines[0] + "hello\n" + lines[1], ":2: not a line of this log"},
		{"empty line", lines[0] + "\n" + lines[1], ":2: not a line of this log"},
		{"space", lines[0] + strings.Replace(lines[1], ",", ", ", 1), ":2: the line was changed"},
		{"begins with a link", strings.Replace(lines[1], `"seq":2`, `"seq":1`, 1), ":1: the line was changed"},
	}
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Verify(path)
		var broken *BrokenError
		if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	// A last line that was changed does not become the head of a chain.
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), "fourth", "FOURTH", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, "edge-1", discard); err == nil || !strings.Contains(err.Error(), "audit verify") {
		t.Errorf("open of a changed log: %v", err)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	small := func(l *Log) { l.segment = 700 } // a few lines
	l, stop := openLog(t, path, small)
	for i := range 20 {
		write(t, l, fmt.Sprintf("event%d", i))
	}
	stop()
	l, stop = openLog(t, path, small)
	write(t, l, "again")
	stop()
	s := inspect(t, path)
	if s.Lines != 21 || s.Segments < 5 {
		t.Fatalf("got %+v", s)
	}
	all, err := segments(path)
	if err != nil || len(all) != s.Segments {
		t.Fatalf("%d segments, %v", len(all), err)
	}
	var got []string
	if err := l.Tail(t.Context(), 15, false, func(line []byte) error {
		var r Record
		got = append(got, fmt.Sprint(json.Unmarshal(line, &r), r.Seq))
		return nil
	}); err != nil || len(got) != 15 || got[0] != "<nil> 7" || got[14] != "<nil> 21" {
		t.Fatalf("tail over segments: %v, %v", got, err)
	}
	// The oldest may be moved away, one in the middle may not.
	if err := os.Remove(all[0].path); err != nil {
		t.Fatal(err)
	}
	if s := inspect(t, path); s.FirstSeq != all[1].first || s.LastSeq != 21 {
		t.Fatalf("without the oldest: %+v", s)
	}
	if err := os.Remove(all[2].path); err != nil {
		t.Fatal(err)
	}
	if err := Verify(path); err == nil || !strings.Contains(err.Error(), "lines are missing") {
		t.Fatalf("without one in the middle: %v", err)
	}
}

func TestTailFollows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, stop := openLog(t, path, func(l *Log) { l.segment = 2000 })
	write(t, l, "e1", "e2", "e3")
	ctx, cancel := context.WithCancel(t.Context())
	seqs := make(chan uint64)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(seqs)
		err := l.Tail(ctx, 2, true, func(line []byte) error {
			at, _, err := unline(line)
			seqs <- at.seq
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
	wait := func(want uint64) {
		t.Helper()
		select {
		case got := <-seqs:
			if got != want {
				t.Fatalf("line %d, want %d", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("line %d did not come", want)
		}
	}
	wait(2)
	wait(3)
	for i := range uint64(30) { // over several segments, behind and in step
		if i%10 == 0 {
			write(t, l, "x", "y")
			wait(4 + i + i/10*2)
			wait(5 + i + i/10*2)
		}
		l.Note(Record{Event: "noted"})
		wait(6 + i + i/10*2)
	}
	cancel()
	for range seqs {
	}
	wg.Wait()
	wg.Go(func() {
		if err := l.Tail(context.Background(), 0, true, func([]byte) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	stop() // ends a follower too
	wg.Wait()
}

func TestHostileValues(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, stop := openLog(t, path, nil)
	hostile := []string{
		"a\nb", "a\r\nb", "\x00\x1b[2J", "\u009b31m", "\u202egnp.exe", "\u2028\u2029", "\xff\xfe", `","hash":"00"}`,
		strings.Repeat("x", 1<<20), strings.Repeat("é", 1<<19), strings.Repeat("\n", 1<<16), "</script>", "\ufeff", "\x7f",
	}
	for _, h := range hostile {
		r := Record{Event: h, Outcome: h, Email: h, DeviceName: h, Groups: []string{h}, Counters: map[string]uint64{h: 1},
			Hash: h, Prev: h, Edge: h, Time: time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)}
		for range 100 {
			r.AMR = append(r.AMR, h)
		}
		if err := l.Write(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if len(r.AMR) != 100 || r.Groups[0] != h {
			t.Fatal("the caller's record was changed")
		}
	}
	stop()
	if s := inspect(t, path); s.Lines != uint64(len(hostile)) {
		t.Fatalf("%d lines for %d records", s.Lines, len(hostile))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		if len(line) > 512<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
		for _, r := range string(bytes.TrimSuffix(line, []byte("\n"))) {
			if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\ufeff' {
				t.Fatalf("character %U in %.80s", r, line)
			}
		}
	}
}

func TestNotesAreBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, err := Open(path, "edge-1", discard) // nobody writes notes yet
	if err != nil {
		t.Fatal(err)
	}
	for range maxNotes + 7 {
		l.Note(Record{Event: "noted"})
	}
	write(t, l, "written")
	if s := inspect(t, path); s.Lines != maxNotes+2 {
		t.Fatalf("%d lines", s.Lines)
	}
	l.Tail(t.Context(), 1, false, func(line []byte) error {
		if !strings.Contains(string(line), `"event":"audit-dropped"`) || !strings.Contains(string(line), `"lines":7`) {
			t.Errorf("last line %s", line)
		}
		return nil
	})
}

func FuzzUnline(f *testing.F) {
	line, _, err := (&Log{edge: "e"}).line(Record{Event: "x"}, head{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.TrimSuffix(line, []byte("\n")))
	f.Add([]byte(`"hash":""}`))
	f.Fuzz(func(t *testing.T, data []byte) { unline(data) })
}

func BenchmarkWrite(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "audit.jsonl"), "edge-1", discard)
	if err != nil {
		b.Fatal(err)
	}
	r := Record{Event: EventStreamStart, Outcome: OK, Email: "alice@site.com", Hostname: "tcp.site.com", Rule: "allow everyone (#1)",
		Stream: strings.Repeat("a", 32), Trunk: strings.Repeat("b", 32), Session: "ses_1", Connector: "con_1"}
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := l.Write(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
