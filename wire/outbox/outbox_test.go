package outbox

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestUrgentGoesFirst(t *testing.T) {
	t.Parallel()
	q := New()
	for _, f := range []struct {
		frame  string
		urgent bool
	}{{"a", false}, {"B", true}, {"c", false}, {"D", true}} {
		if !q.Put([]byte(f.frame), f.urgent, 4) {
			t.Fatalf("%s has no room", f.frame)
		}
	}
	if q.Put([]byte("e"), true, 4) {
		t.Error("more waits than may")
	}
	if got := string(q.Take(nil)); got != "BDac" {
		t.Errorf("took %q", got)
	}
	if q.Put([]byte("e"), false, 4) {
		t.Error("what is being written counts for nothing")
	}
	q.Wrote(4)
	if !q.Put([]byte("e"), false, 4) {
		t.Error("what was written still counts")
	}
}

// What has time is written together: after a while, or at once with what has none.
func TestSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := New()
		begin := time.Now()
		q.Soon(time.Second)
		time.Sleep(time.Second / 2)
		q.Soon(time.Second)
		<-q.Due
		if took := time.Since(begin); took != time.Second {
			t.Errorf("written after %v", took)
		}
		q.Soon(time.Second)
		q.Now()
		<-q.Due
		if took := time.Since(begin); took != time.Second {
			t.Errorf("what has no time waited: %v", took)
		}
		<-q.Due // of Soon
	})
}
