package trunk

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/carrier"
	"github.com/sallyport/sallyport/wire/framer"
	"github.com/sallyport/sallyport/wire/policer"
)

// A frame that stops half way has broken no rule: the connection may have been lost in
// its middle, and streams go on with another.
func TestStalledFrameIsALoss(t *testing.T) {
	t.Parallel()
	host, a := hostAlone(t)
	go io.Copy(io.Discard, a)
	s := &speaker{Conn: a}
	s.syn(1).say(1, open(1)).send()
	a.Write(policer.Header{Type: policer.TypeData, Stream: 1, Length: 1000}.Append(nil))
	w := &watchman{t: host}
	late := time.Now().Add(2 * DeadAfter)
	tick := time.NewTicker(time.Millisecond) // until the header has come
	defer tick.Stop()
	for begin := time.Now(); w.alive(late) != framer.ErrStalled; <-tick.C {
		if time.Since(begin) > patience {
			t.Fatalf("the trunk goes on: %v", w.alive(late))
		}
	}
	host.road.Fail(framer.ErrStalled)
	<-host.Done()
	if err := host.mux.Loss(); !errors.Is(err, carrier.ErrLost) || !errors.Is(err, framer.ErrStalled) {
		t.Errorf("ended with %v", err)
	}
}
