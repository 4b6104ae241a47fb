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

// An address that has many waiting lets another in after one of them.
func TestTurnsGoRoundTheAddresses(t *testing.T) {
	t.Parallel()
	turns := NewTurns(1)
	many, one := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	deadline := time.Now().Add(time.Minute)
	hold := turns.Begin(nil, many, deadline)
	order := make(chan netip.Addr, 5)
	waiting := 0
	for _, addr := range []netip.Addr{many, many, many, one, many} {
		go func() { // ends when its turn has come
			h := turns.Begin(nil, addr, deadline)
			order <- addr
			h.Finish()
		}()
		waiting++
		for inLine(turns) < waiting {
			runtime.Gosched()
		}
	}
	hold.Finish()
	var got []netip.Addr
	for range waiting {
		got = append(got, <-order)
	}
	if want := []netip.Addr{many, one, many, many, many}; !slices.Equal(got, want) {
		t.Errorf("turns came as %v, want %v", got, want)
	}
}

func inLine(t *Turns) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.next {
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
