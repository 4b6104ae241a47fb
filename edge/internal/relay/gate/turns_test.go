package gate

import (
	"net"
	"testing"
	"time"
)

// Whoever waits for the peer holds no turn, and there are never more than n.
func TestTurns(t *testing.T) {
	t.Parallel()
	turns := NewTurns(1)
	deadline := time.Now().Add(time.Minute)
	stalled, peer := net.Pipe()
	defer stalled.Close()
	first := turns.Begin(stalled, deadline)
	read := make(chan byte)
	go func() {
		var b [1]byte
		first.Read(b[:])
		read <- b[0]
	}()
	honest, _ := net.Pipe()
	second := turns.Begin(honest, deadline) // while the first waits
	peer.Write([]byte("x"))                 // it has its byte, and waits for its turn
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
	if n := len(turns.free); n != 0 {
		t.Errorf("%d turns are lost", n)
	}
}
