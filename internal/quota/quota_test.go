package quota

import (
	"testing"
	"time"
)

func TestBuckets(t *testing.T) {
	t.Parallel()
	b := New[string](time.Minute, 3, 100)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	take := func(want bool) {
		t.Helper()
		if has := b.Has("a", now); has != want {
			t.Fatalf("Has = %t", has)
		}
		if got := b.Take("a", now); got != want {
			t.Fatalf("Take = %t", got)
		}
	}
	take(true)
	take(true)
	take(true)
	take(false)
	if !b.Take("b", now) {
		t.Fatal("one key pays for another")
	}
	now = now.Add(time.Minute)
	take(true)
	take(false)
	now = now.Add(-time.Hour) // a clock that is set back gives nothing
	take(false)
	now = now.Add(24 * time.Hour)
	take(true)
	take(true)
	take(true)
	take(false)
	b.Forget("a")
	take(true)
}

func TestGive(t *testing.T) {
	t.Parallel()
	b := New[string](time.Minute, 2, 100)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.Give("a", now) // nothing was taken
	for i, want := range []bool{true, true, false} {
		if got := b.Take("a", now); got != want {
			t.Fatalf("Take %d = %t", i, got)
		}
	}
	b.Give("a", now)
	first, second := b.Take("a", now), b.Take("a", now)
	if !first || second {
		t.Fatal("a token was given back, and there is not one")
	}
	now = now.Add(time.Hour)
	b.Give("a", now)
	first, second = b.Take("a", now), b.Take("a", now)
	if !first || !second || b.Take("a", now) {
		t.Fatal("giving back makes more than a full bucket")
	}
}

func TestBucketsAreBounded(t *testing.T) {
	t.Parallel()
	b := New[int](time.Minute, 1, 10)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 1000 {
		if !b.Take(i, now) {
			t.Fatalf("key %d refused", i)
		}
	}
	if n := len(b.m); n > 10 {
		t.Fatalf("%d buckets", n)
	}
	b.Take(1000, now.Add(time.Hour))
	if n := len(b.m); n != 1 {
		t.Fatalf("%d buckets after all were full again", n)
	}
}

func TestOwe(t *testing.T) {
	t.Parallel()
	b := New[string](time.Minute, 2, 100)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 5 {
		b.Owe("a", now)
	}
	if now = now.Add(3 * time.Minute); b.Has("a", now) {
		t.Error("what was owed is not paid for")
	}
	if now = now.Add(time.Minute); !b.Has("a", now) {
		t.Error("more was owed than was taken")
	}
	for range 1000 {
		b.Owe("b", now)
	}
	if now = now.Add(21 * time.Minute); !b.Has("b", now) {
		t.Error("debts are not bounded")
	}
}
