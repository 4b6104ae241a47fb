package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
)

func testWatch(t *testing.T, s store.Store) {
	put(t, s, "a", "before")
	events := watch(t, s, "", 0)
	put(t, s, "a", "1")
	txn(t, s, store.Put("b", []byte("2")), store.Delete("a"))
	wantEvents(t, events, "put a=1", "put b=2")
	got, e := next(t, events)
	if _, now, _ := s.List(t.Context(), ""); got != "delete a" || e.KV.ModRevision != now {
		t.Fatalf("%s at %d, want delete a at %d", got, e.KV.ModRevision, now)
	}
}

func testWatchFrom(t *testing.T, s store.Store) {
	put(t, s, "a", "1")
	from := put(t, s, "a", "2")
	txn(t, s, store.Delete("a"))
	events := watch(t, s, "", from)
	wantEvents(t, events, "put a=2", "delete a")
	put(t, s, "a", "3")
	wantEvents(t, events, "put a=3")
	later := watch(t, s, "", from+4) // one more than the next
	put(t, s, "a", "4")
	put(t, s, "a", "5")
	wantEvents(t, later, "put a=5")
}

func testWatchPrefix(t *testing.T, s store.Store) {
	events := watch(t, s, "p/", 0)
	put(t, s, "p", "no")
	put(t, s, "p/a", "yes")
	put(t, s, "p0", "no")
	put(t, s, "p/b", "yes")
	wantEvents(t, events, "put p/a=yes", "put p/b=yes")
}

func testWatchCompacted(t *testing.T, s store.Store) {
	first := put(t, s, "a", "1")
	slow := watch(t, s, "", first) // read only after it has been overtaken
	for range 2000 {               // more than any implementation buffers for a watch
		put(t, s, "a", "x")
	}
	last := put(t, s, "a", "last")
	if err := s.Compact(t.Context(), last-1); err != nil {
		t.Fatal(err)
	}
	_, err := s.Watch(t.Context(), "", last-1)
	wantErr(t, err, store.ErrCompacted)
	wantEvents(t, watch(t, s, "", last), "put a=last")
	// What was not yet read of the overtaken watch is either still given whole,
	// or the watch says that it was compacted. It never skips.
	want := first
	for {
		got, e := next(t, slow)
		if e.Type == store.EventEnd {
			wantErr(t, e.Err, store.ErrCompacted)
			return
		}
		if e.KV.ModRevision != want {
			t.Fatalf("%s has revision %d, want %d: the watch skipped", got, e.KV.ModRevision, want)
		}
		if want == last {
			return
		}
		want++
	}
}

func testWatchContext(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	events := must[<-chan store.Event](t)(s.Watch(ctx, "", 0))
	unread := must[<-chan store.Event](t)(s.Watch(ctx, "", 0))
	put(t, s, "a", "1")
	wantEvents(t, events, "put a=1")
	cancel()
	wantEvents(t, events, "closed")
	for range unread { // ends, whether or not it still gives the event
	}
	again := watch(t, s, "", 0)
	put(t, s, "a", "2")
	wantEvents(t, again, "put a=2")
}

func testWatchMany(t *testing.T, s store.Store) {
	const writers, each = 8, 25
	readers := make([]<-chan store.Event, 3)
	for i := range readers {
		readers[i] = watch(t, s, "", 0)
	}
	together(writers, func(i int) {
		for n := range each {
			key := fmt.Sprintf("w%d/%03d", i, n)
			if _, err := s.Txn(t.Context(), store.Txn{Then: []store.Op{store.Put(key, nil)}}); err != nil {
				t.Error(err)
			}
		}
	})
	for _, r := range readers {
		var last int64
		seen := map[string]bool{}
		for range writers * each {
			_, e := next(t, r)
			if e.KV.ModRevision <= last || seen[e.KV.Key] {
				t.Fatalf("%s at revision %d after %d", e.KV.Key, e.KV.ModRevision, last)
			}
			last, seen[e.KV.Key] = e.KV.ModRevision, true
		}
	}
}

// leaseTTL is the shortest that every implementation keeps exactly: etcd counts
// in seconds.
const leaseTTL = time.Second

func testLeaseEnds(t *testing.T, s store.Store) {
	ctx := t.Context()
	id := must[store.LeaseID](t)(s.Lease(ctx, leaseTTL))
	txn(t, s, store.PutLeased("a", []byte("1"), id), store.PutLeased("b", nil, id), store.Put("c", nil))
	if kv := must[store.KV](t)(s.Get(ctx, "a")); kv.Lease != id {
		t.Fatalf("lease %d, want %d", kv.Lease, id)
	}
	wantEvents(t, watch(t, s, "", 0), "delete a", "delete b")
	kvs, _, _ := s.List(ctx, "")
	wantText(t, kvs, "c=")
	wantErr(t, s.KeepAlive(ctx, id), store.ErrLeaseNotFound)
	_, err := s.Txn(ctx, store.Txn{Then: []store.Op{store.PutLeased("d", nil, id)}})
	wantErr(t, err, store.ErrLeaseNotFound)
}

func testKeepAlive(t *testing.T, s store.Store) {
	ctx := t.Context()
	kept := must[store.LeaseID](t)(s.Lease(ctx, 2*leaseTTL))
	txn(t, s, store.PutLeased("kept", nil, kept))
	events := watch(t, s, "", 0)
	// Leases of half the length end one after the other; beside them the kept
	// one would have ended, were it not kept alive.
	for i := range 4 {
		id := must[store.LeaseID](t)(s.Lease(ctx, leaseTTL))
		key := fmt.Sprintf("short%d", i)
		txn(t, s, store.PutLeased(key, nil, id))
		wantEvents(t, events, "put "+key+"=", "delete "+key)
		if err := s.KeepAlive(ctx, kept); err != nil {
			t.Fatal(err)
		}
	}
	must[store.KV](t)(s.Get(ctx, "kept"))
	wantEvents(t, events, "delete kept")
}

func testLeaseRevoked(t *testing.T, s store.Store) {
	ctx := t.Context()
	id := must[store.LeaseID](t)(s.Lease(ctx, time.Hour))
	other := must[store.LeaseID](t)(s.Lease(ctx, time.Hour))
	txn(t, s, store.PutLeased("a", nil, id), store.PutLeased("b", nil, other))
	if err := s.Revoke(ctx, id); err != nil {
		t.Fatal(err)
	}
	kvs, _, _ := s.List(ctx, "")
	wantText(t, kvs, "b=")
	wantErr(t, s.Revoke(ctx, id), store.ErrLeaseNotFound)
	wantErr(t, s.KeepAlive(ctx, id), store.ErrLeaseNotFound)
}

// testLeaseMoved: a put decides anew which lease a key lives under.
func testLeaseMoved(t *testing.T, s store.Store) {
	ctx := t.Context()
	first := must[store.LeaseID](t)(s.Lease(ctx, time.Hour))
	second := must[store.LeaseID](t)(s.Lease(ctx, time.Hour))
	txn(t, s, store.PutLeased("free", nil, first), store.PutLeased("moved", nil, first), store.PutLeased("again", nil, first))
	put(t, s, "free", "")
	txn(t, s, store.PutLeased("moved", nil, second))
	txn(t, s, store.Delete("again"))
	put(t, s, "again", "")
	if err := s.Revoke(ctx, first); err != nil {
		t.Fatal(err)
	}
	kvs, _, _ := s.List(ctx, "")
	wantText(t, kvs, "again= free= moved=")
	if err := s.Revoke(ctx, second); err != nil {
		t.Fatal(err)
	}
	kvs, _, _ = s.List(ctx, "")
	wantText(t, kvs, "again= free=")
}
