package connector

import (
	"errors"
	"testing"

	"github.com/sallyport/sallyport/wire"
)

// A stream goes on with a lane, and back, while its origin notices nothing; to the
// edge it is where it is.
func TestStreamMovesToALaneAndBack(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	trunk := r.trunk(r.client)
	s := r.served(trunk, wire.NewStreamID())
	lane := r.carrier(r.client, wire.CarrierLane)
	for _, to := range []*wire.Trunk{lane, trunk} {
		r.attach(to, s)
		if to == trunk { // the grant comes when the lane is over
			until(t, "the end of the lane", func() bool {
				r.Connector.mu.Lock()
				defer r.Connector.mu.Unlock()
				at := r.trunks[lane.ID()]
				return at == nil || at.isLost()
			})
		}
		r.Handle(r.host.Link, r.again(to, s.ID()))
		r.echo(s)
		if refs := r.Streams(); len(refs) != 1 || refs[0].Trunk != to.ID() {
			t.Errorf("listed: %+v", refs)
		}
	}
	<-lane.Done()
	if st := r.stat(); r.dials.Load() != 1 || st.Resumed != 0 || st.Connections != 1 || st.Resuming != 0 {
		t.Errorf("%d dials, %+v", r.dials.Load(), st)
	}
	until(t, "the lane to be forgotten", func() bool {
		r.Connector.mu.Lock()
		defer r.Connector.mu.Unlock()
		return r.trunks[lane.ID()] == nil && len(r.trunks) == 1
	})
}

// A lane that is lost before its grant leaves the stream on the trunk, to which its
// client comes back.
func TestBackFromALaneThatWasNotGranted(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"grant", "attach"} {
		t.Run(first+" first", func(t *testing.T) {
			t.Parallel()
			r := newResumer(t, nil)
			trunk := r.trunk(r.client)
			s := r.served(trunk, wire.NewStreamID())
			r.losesLane(s)
			g := r.again(trunk, s.ID())
			if first == "grant" {
				r.Handle(r.host.Link, g)
			}
			r.attach(trunk, s)
			if first == "attach" {
				until(t, "the attach", func() bool { return r.waiting(trunk) == 1 })
				r.Handle(r.host.Link, g)
			}
			r.echo(s)
			if refs := r.Streams(); r.dials.Load() != 1 || len(refs) != 1 || refs[0].Trunk != trunk.ID() {
				t.Errorf("%d dials, listed: %+v", r.dials.Load(), refs)
			}
		})
	}
}

// losesLane has a stream leave its trunk for a lane that is lost before it is granted.
func (r *resumer) losesLane(s *wire.Stream) {
	r.t.Helper()
	lane := r.carrier(r.client, wire.CarrierLane)
	r.attach(lane, s)
	until(r.t, "the attach", func() bool { return r.waiting(lane) == 1 })
	lane.Lose(errLinkGone)
	<-lane.Done()
}

// Where no grant can come on the trunk either, that is lost as well, and the stream
// goes on with the next.
func TestBackFromALaneToATrunkWithoutLink(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	trunk := r.trunk(r.client)
	s := r.served(trunk, wire.NewStreamID())
	r.losesLane(s)
	r.Offline(r.host.Link)
	r.Online(r.host.Link)
	r.attach(trunk, s)
	<-trunk.Done()
	after := r.trunk(r.client)
	r.Handle(r.host.Link, r.again(after, s.ID()))
	r.attach(after, s)
	r.echo(s)
}

// A cut ends the stream of a lane like that of a trunk.
func TestCutOnALane(t *testing.T) {
	t.Parallel()
	why := wire.Reason{Code: wire.CodeRevoked, Text: "why"}
	for _, whole := range []bool{false, true} {
		r := newResumer(t, nil)
		trunk := r.trunk(r.client)
		s := r.served(trunk, wire.NewStreamID())
		lane := r.carrier(r.client, wire.CarrierLane)
		r.Handle(r.host.Link, r.again(lane, s.ID()))
		r.attach(lane, s)
		r.echo(s)
		m := &wire.Cut{Trunk: lane.ID(), Stream: s.ID(), Reason: why}
		if whole {
			m.Stream = wire.StreamID{}
		}
		r.Handle(r.host.Link, m)
		if err := <-r.ends; err == nil {
			t.Error("the origin sees an end in order")
		}
		<-s.Done()
		if !errors.Is(s.Err(), &why) {
			t.Errorf("whole %t: ended with %v", whole, s.Err())
		}
		<-lane.Done()
		if trunk.Err() != nil {
			t.Errorf("the trunk ended: %v", trunk.Err())
		}
	}
}

// TestConnectorEnded: the reason is this host's; its clients hear of the host.
func TestConnectorEnded(t *testing.T) {
	t.Parallel()
	r := newResumer(t, nil)
	s := r.served(r.trunk(r.client), wire.NewStreamID())
	r.echo(s)
	r.Handle(r.host.Link, &wire.ConnectorEnded{Reason: wire.Reason{Code: wire.CodeRevoked, Text: "by root"}})
	<-s.Done()
	if reason(s.Err()) != wire.CodeConnectorLost {
		t.Errorf("the client hears %v", s.Err())
	}
}
