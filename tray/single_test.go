package main

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestSingle(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sallyport")
	first, err := single(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := single(dir); !errors.Is(err, errRunning) {
		t.Fatalf("a second tray: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := single(dir)
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
