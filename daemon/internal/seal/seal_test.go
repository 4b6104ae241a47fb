package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func newBox(t testing.TB, first byte) *Box {
	t.Helper()
	key := make([]byte, KeySize)
	key[0] = first
	b, err := New(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1)
	for _, plain := range [][]byte{nil, {0}, bytes.Repeat([]byte("secret"), 1000)} {
		sealed := b.Seal("keys", "1000/edge", plain)
		if len(plain) > 5 && bytes.Contains(sealed, plain[:6]) {
			t.Fatal("the envelope shows its content")
		}
		got, err := b.Open("keys", "1000/edge", sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("got %d bytes, %v; want %d", len(got), err, len(plain))
		}
	}
}

func TestOpenElsewhere(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1)
	sealed := b.Seal("ab", "c", []byte("x"))
	for name, tt := range map[string]struct {
		box         *Box
		bucket, key string
		want        error
	}{
		"another bucket":       {b, "abc", "c", ErrDamaged},
		"another row":          {b, "ab", "d", ErrDamaged},
		"names joined elsehow": {b, "a", "bc", ErrDamaged},
		"another key":          {newBox(t, 2), "ab", "c", ErrOtherKey},
	} {
		if _, err := tt.box.Open(tt.bucket, tt.key, sealed); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	t.Parallel()
	b := newBox(t, 1)
	sealed := b.Seal("sessions", "row", []byte("a token"))
	for i := range len(sealed) * 8 {
		bad := bytes.Clone(sealed)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := b.Open("sessions", "row", bad); err == nil {
			t.Fatalf("bit %d flipped, and it opened", i)
		}
	}
	for n := range sealed {
		if _, err := b.Open("sessions", "row", sealed[:n]); err == nil {
			t.Fatalf("cut to %d bytes, and it opened", n)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal.key")
	first, err := OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Size() != KeySize {
		t.Errorf("mode %04o, %d bytes", info.Mode().Perm(), info.Size())
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	second, err := OpenKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.Open("b", "k", first.Seal("b", "k", []byte("x"))); err != nil {
		t.Errorf("the key changed between two opens: %v", err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %04o stays open to others", info.Mode().Perm())
	}
	if left, _ := filepath.Glob(path + ".new*"); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestKeyFileOfWrongSize(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal.key")
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKeyFile(path); !errors.Is(err, ErrKeyFile) {
		t.Errorf("got %v, want ErrKeyFile", err)
	}
}

func TestKeyFileMadeByManyAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "seal.key")
	var wg sync.WaitGroup
	boxes := make([]*Box, 16)
	for i := range boxes {
		wg.Go(func() {
			b, err := OpenKeyFile(path)
			if err != nil {
				t.Error(err)
				return
			}
			boxes[i] = b
		})
	}
	wg.Wait()
	for _, b := range boxes {
		if b == nil || b.id != boxes[0].id {
			t.Fatal("two keys were handed out for one file")
		}
	}
}

func FuzzOpen(f *testing.F) {
	b := newBox(f, 1)
	f.Add([]byte{})
	f.Add(b.Seal("b", "k", []byte("x")))
	f.Fuzz(func(t *testing.T, sealed []byte) {
		plain, err := b.Open("b", "k", sealed)
		if err == nil && string(plain) != "x" {
			t.Fatalf("a forged envelope opened as %q", plain)
		}
	})
}
