package trunk

import (
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/envelope"
)

// Who has written nothing for a while on a lane says that it lives, and leaves who
// does not.
func TestQuietLaneSaysThatItLives(t *testing.T) {
	t.Parallel()
	near, far := tcpPair(t)
	client, err := Client(near, near, Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	host, err := Host(far, far, Config{Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.Open(t.Context(), [16]byte{1}, [8]byte{}, false)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.Admit()
	if err := c.Verdict(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, b := tcpPair(t)
	lane := Lane(b.(*net.TCPConn), b, Config{}, true)
	t.Cleanup(func() {
		a.Close()
		for _, x := range []*Trunk{client, host, lane} {
			x.CloseWith(nil)
			<-x.Done()
		}
	})
	if err := lane.Attach(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	a.SetDeadline(time.Now().Add(patience))
	next := func(want envelope.Type) {
		t.Helper()
		var head [envelope.HeaderSize]byte
		if _, err := io.ReadFull(a, head[:]); err != nil {
			t.Fatal(err)
		}
		kind, n, err := envelope.ParseHeader(head)
		if err != nil || kind != want {
			t.Fatalf("frame %d, %v, want %d", kind, err, want)
		}
		if _, err := io.CopyN(io.Discard, a, int64(n)); err != nil {
			t.Fatal(err)
		}
	}
	next(envelope.Attach)
	a.Write(envelope.AppendAttach(nil, envelope.Attachment{ID: c.ID(), Epoch: 1}))
	next(envelope.Ack)
	later := time.Now().Add(PingAfter + time.Second)
	for lane.lane.Quiet(later) < PingAfter { // what was read here, the writer there may not know to be written yet
		runtime.Gosched()
	}
	w := &watchman{t: lane}
	if err := w.look(later); err != nil {
		t.Fatal(err)
	}
	next(envelope.Ack)
	if lane.RTT() <= 0 {
		t.Error("no round trip was measured")
	}
	if err := w.look(time.Now().Add(DeadAfter + time.Second)); !errors.Is(err, errDead) {
		t.Errorf("a silent peer: %v", err)
	}
}
