package main

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestSingle(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sallyport")
	first, err := single(dir, ":1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := single(dir, ":1"); !errors.Is(err, errRunning) {
		t.Fatalf("a second tray: %v", err)
	}
	beside, err := single(dir, ":2")
	if err != nil {
		t.Fatalf("on another display: %v", err)
	}
	defer beside.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := single(dir, ":1")
	if err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
