package localapi

import (
	"testing"
	"testing/synctest"
	"time"
)

// One may ask for ten minutes how a stream ended, and a flood of streams costs
// no more than its bound.
func TestEndedStreamsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s streams
		s.init()
		first := s.add("bob", "a.site.com")
		live := s.add("bob", "a.site.com")
		s.end(first, nil)
		time.Sleep(keepEnded)
		s.add("bob", "a.site.com")
		if st, ok := s.get("bob", first); !ok || st.Open {
			t.Errorf("after %v: %+v, %v", keepEnded, st, ok)
		}
		if _, ok := s.get("eve", first); ok {
			t.Error("another user sees it")
		}
		time.Sleep(time.Second)
		s.add("bob", "a.site.com")
		if _, ok := s.get("bob", first); ok {
			t.Error("kept for ever")
		}
		for range maxEnded + 10 {
			s.end(s.add("bob", "a.site.com"), nil)
		}
		if n := len(s.all); n != maxEnded+3 {
			t.Errorf("%d streams are kept", n)
		}
		if st, ok := s.get("bob", live); !ok || !st.Open {
			t.Errorf("the live one: %+v, %v", st, ok)
		}
	})
}
