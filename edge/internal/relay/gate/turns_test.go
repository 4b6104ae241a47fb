package gate

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Whoever waits for the peer holds no turn, and there are never more than n.
func TestTurns(t *testing.T) {
	t.Parallel()
	turns := NewTurns(1)
	deadline := time.Now().Add(time.Minute)
	addr := netip.MustParseAddr("192.0.2.1")
	stalled, peer := net.Pipe()
	defer stalled.Close()
	first := turns.Begin(stalled, addr, deadline)
	read := make(chan byte)
	go func() {
		var b [1]byte
		first.Read(b[:])
		read <- b[0]
	}()
	honest, _ := net.Pipe()
	second := turns.Begin(honest, addr, deadline) // while the first waits
	peer.Write([]byte("x"))                       // it has its byte, and waits for its turn
	select {
	case <-read:
		t.Fatal("two compute at a time")
	default:
	}
	second.Finish()
	second.Finish() // no harm
	if b := <-read; b != 'x' {
		t.Errorf("read %q", b)
	}
	first.Finish()
	if turns.free != 1 {
		t.Errorf("%d turns are free, want 1", turns.free)
	}
}

// An address that has many waiting lets one that comes alone in after one of them, and so
// do several together.
func TestTurnsGoRoundTheAddresses(t *testing.T) {
	t.Parallel()
	const many, more, one, other = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"
	for _, tt := range []struct{ come, want []string }{
		{[]string{many, many, many, one, many}, []string{many, many, one, many, many}},
		{[]string{many, more, many, more, many, more, one, other}, []string{many, many, more, many, one, more, other, more}},
		{[]string{one, other, many}, []string{one, other, many}},
	} {
		if got := turnsOf(tt.come); !slices.Equal(got, tt.want) {
			t.Errorf("%v wait; turns came as %v, want %v", tt.come, got, tt.want)
		}
	}
}

// turnsOf says in which order they have turns who come one after another while another
// has the only one.
func turnsOf(come []string) (order []string) {
	turns := NewTurns(1)
	hold := turns.Begin(nil, netip.MustParseAddr("198.51.100.1"), time.Time{})
	had := make(chan string, len(come))
	for i, addr := range come {
		go func() { // ends when its turn has come
			h := turns.Begin(nil, netip.MustParseAddr(addr), time.Time{})
			had <- addr
			h.Finish()
		}()
		for inLine(turns) <= i {
			runtime.Gosched()
		}
	}
	hold.Finish()
	for range come {
		order = append(order, <-had)
	}
	return order
}

func inLine(t *Turns) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		n += len(l.waiting)
	}
	return n
}

// In a crowd a turn rests as long as it computed, and not for long; alone it does not.
func TestTurnsRest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ computes, rests time.Duration }{{time.Millisecond, time.Millisecond}, {time.Second, maxRest}} {
		synctest.Test(t, func(t *testing.T) {
			turns := NewTurns(1)
			addr := netip.MustParseAddr("192.0.2.1")
			first := turns.Begin(nil, addr, time.Time{})
			came := make(chan time.Time)
			go func() { // ends when its turn has come and gone
				second := turns.Begin(nil, addr, time.Time{})
				came <- time.Now()
				second.Finish()
			}()
			<-time.After(tt.computes)
			synctest.Wait()
			over := time.Now()
			first.Finish()
			if got := (<-came).Sub(over); got != tt.rests {
				t.Errorf("after %s it rests for %s, want %s", tt.computes, got, tt.rests)
			}
			synctest.Wait()
			over = time.Now()
			turns.Begin(nil, addr, time.Time{}).Finish()
			if got := time.Since(over); got != 0 {
				t.Errorf("a turn alone waits for %s", got)
			}
		})
	}
}
