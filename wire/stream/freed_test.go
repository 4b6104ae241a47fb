package stream

import (
	"io"
	"log/slog"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/sallyport/sallyport/wire/carrier"
)

// noRoad is a road and a channel that lead nowhere.
type noRoad struct{}

func (noRoad) Failure() error         { return nil }
func (noRoad) Close() error           { return nil }
func (noRoad) Flush()                 {}
func (noRoad) RTT() time.Duration     { return 0 }
func (noRoad) MaxPayload() int        { return 1 << 10 }
func (noRoad) Put([]byte, bool) error { return nil }
func (noRoad) CloseWrite() error      { return nil }

// A stream whose other end has opened and closed it at once is held by nothing, as a
// timer would.
func TestEndedStreamIsFreed(t *testing.T) {
	m := NewMux(carrier.Config{Road: noRoad{}, Log: slog.New(slog.DiscardHandler)}, nil)
	feed := m.Take(noRoad{})
	c := feed.(*carriage)
	s := c.lock()
	p := weak.Make(s)
	s.mu.Unlock()
	feed.End(io.EOF) // SYN and FIN in one header
	c.Flush(false)
	m.End(io.EOF)
	m.Run()
	feed, c, s, m = nil, nil, nil, nil
	for end := time.Now().Add(10 * time.Second); p.Value() != nil; { // a timer of a minute holds it
		runtime.GC()
		if time.Now().After(end) {
			t.Fatal("the stream is held")
		}
	}
}
