// Package storetest is the conformance suite of store.Store. Every
// implementation passes it, so that the rooms above need not know which they have.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
)

// Open makes an empty store whose leases end by themselves, and arranges for it
// to be closed at the end of the test.
type Open func(t *testing.T) store.Store

// wait bounds every wait for an event; it is far above what any should take.
const wait = 20 * time.Second

// Run runs the suite.
func Run(t *testing.T, open Open) {
	cases := []struct {
		name string
		run  func(*testing.T, store.Store)
	}{
		{"get and put", testGetPut},
		{"list", testList},
		{"compares", testCompares},
		{"else branch", testElse},
		{"reads inside a transaction", testTxnReads},
		{"one revision a transaction", testOneRevision},
		{"refused requests", testRefused},
		{"read at a revision", testAtRevision},
		{"watch", testWatch},
		{"watch from a revision", testWatchFrom},
		{"watch a prefix", testWatchPrefix},
		{"watch compacted", testWatchCompacted},
		{"watch ends with its context", testWatchContext},
		{"lease ends", testLeaseEnds},
		{"lease kept alive", testKeepAlive},
		{"lease revoked", testLeaseRevoked},
		{"lease let go", testLeaseMoved},
		{"compare and swap by many", testRace},
		{"watch sees what many write", testWatchMany},
		{"table", testTable},
		{"table update by many", testTableRace},
		{"cancelled context", testCancelled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, open(t))
		})
	}
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func txn(t *testing.T, s store.Store, ops ...store.Op) store.TxnResult {
	t.Helper()
	return must[store.TxnResult](t)(s.Txn(t.Context(), store.Txn{Then: ops}))
}

func put(t *testing.T, s store.Store, key, value string) int64 {
	t.Helper()
	return txn(t, s, store.Put(key, []byte(value))).Revision
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// text writes keys down for comparing: "a=1 b=2".
func text(kvs []store.KV) string {
	var b strings.Builder
	for i, kv := range kvs {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", kv.Key, kv.Value)
	}
	return b.String()
}

func wantText(t *testing.T, kvs []store.KV, want string) {
	t.Helper()
	if got := text(kvs); got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// next waits for one event, written as "put a=1" or "delete a".
func next(t *testing.T, events <-chan store.Event) (string, store.Event) {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			return "closed", e
		}
		if e.Type == store.EventPut {
			return fmt.Sprintf("put %s=%s", e.KV.Key, e.KV.Value), e
		}
		return fmt.Sprintf("%s %s", e.Type, e.KV.Key), e
	case <-time.After(wait):
		t.Fatal("no event came")
	}
	return "", store.Event{}
}

func wantEvents(t *testing.T, events <-chan store.Event, want ...string) {
	t.Helper()
	for _, w := range want {
		if got, e := next(t, events); got != w {
			t.Fatalf("event %q (%v), want %q", got, e.Err, w)
		}
	}
}

func watch(t *testing.T, s store.Store, prefix string, from int64) <-chan store.Event {
	t.Helper()
	return must[<-chan store.Event](t)(s.Watch(t.Context(), prefix, from))
}

// together runs n functions at once and waits for them.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Get(ctx, "a")
	wantErr(t, err, context.Canceled)
	_, _, err = s.List(ctx, "a")
	wantErr(t, err, context.Canceled)
	put(t, s, "a", "still works")
}
