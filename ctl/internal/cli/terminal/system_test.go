package terminal

import (
	"os"
	"testing"
)

func TestSilent(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, tt := range map[string]struct {
		in   *os.File
		want bool
	}{"null": {null, true}, "pipe": {r, false}, "closed": {closed, true}} {
		if got := silent(tt.in); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
