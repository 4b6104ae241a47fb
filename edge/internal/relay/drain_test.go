package relay

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// An edge that drains tells everybody, takes nothing new, and is done when the
// last stream ends.
func TestDrain(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	deadline := time.Now().Add(wait)
	done := make(chan struct{})
	go func() { defer close(done); j.relay.Drain(context.Background(), deadline) }()
	for _, p := range []*peerLink{j.client, j.host} {
		if m := expect[*wire.Drain](p); !m.Deadline.Equal(deadline) {
			t.Errorf("drain = %+v", m)
		}
	}
	j.eventually("nothing new is taken", func() bool {
		_, err := j.client.Call(t.Context(), &wire.TicketRequest{Session: j.session, Hostname: app})
		return errors.Is(err, &wire.Reason{Code: wire.CodeDraining})
	})
	j.client.open(j.ticket.Trunk)
	if d := expect[*wire.Denied](j.client); d.Reason.Code != wire.CodeDraining {
		t.Errorf("an open: %+v", d)
	}
	late := j.device().dial()
	_, err := late.Call(t.Context(), &wire.Hello{Versions: []int{wire.Version}, Role: wire.RoleClient, BootID: "boot"})
	var f *wire.Failure
	if !errors.As(err, &f) || f.Code != wire.CodeDraining || f.RetryAfterMS == 0 {
		t.Errorf("a new link: %v", err)
	}
	j.echo(t)
	select {
	case <-done:
		t.Fatal("drained with a live stream")
	default:
	}
	j.host.Send(&wire.StreamEnded{Trunk: j.ticket.Trunk, Stream: j.stream, Code: wire.CodeClosed})
	<-done
}

// What lives at the deadline is left to go on elsewhere; it is not cut.
func TestDrainEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	j.relay.Drain(t.Context(), time.Now().Add(20*time.Millisecond))
	j.relay.trunks.Stop()
	j.closed()
	if ends := j.ends(); len(ends) > 0 && ends[0].End != string(wire.CodeDraining) {
		t.Errorf("ends = %+v", ends)
	}
	for _, p := range []*peerLink{j.client, j.host} {
		expect[*wire.Drain](p)
		select {
		case m := <-p.msgs:
			t.Errorf("%s hears %T", p.d.key, m)
		default:
		}
	}
}
