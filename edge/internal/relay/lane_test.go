package relay

import (
	"testing"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/wire"
)

// lane joins a lane to the process of the trunk.
func (j *joined) lane() *pairing {
	j.t.Helper()
	return j.trunkWith(j.client, j.host, j.laneRequest())
}

func (j *joined) laneRequest() *wire.TicketRequest {
	return &wire.TicketRequest{Session: j.session, Hostname: app, Carrier: wire.CarrierLane, Host: j.process()}
}

// move has the stream go on with a lane, or another trunk.
func (j *joined) move(to *pairing) {
	j.t.Helper()
	j.resume(to.ticket.Trunk)
	if g := expect[*wire.Grant](j.host); !g.Resumes || g.Trunk != to.ticket.Trunk || g.Stream != j.stream {
		j.t.Fatalf("grant = %+v", g)
	}
}

// A stream moves to a lane and back. The edge's row goes with it, the trunk that it
// left may end, and each move stands in the audit.
func TestMoveToALaneAndBack(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	x := j.lane()
	if x.offer.Carrier != wire.CarrierLane || j.offer.Carrier != wire.CarrierTrunk {
		t.Errorf("offers are for %q and %q", x.offer.Carrier, j.offer.Carrier)
	}
	x.echo(t)
	j.move(x)
	if list := j.relay.Streams(); len(list) != 1 || list[0].Trunk != x.ticket.Trunk || list[0].Parked {
		t.Errorf("Streams = %+v", list)
	}
	j.pairing.lose()
	j.eventually("the trunk is gone", func() bool { return j.relay.Links().Trunks == 1 })
	if c := j.relay.Links(); c.Streams != 1 || c.Parked != 0 || len(j.ends()) != 0 {
		t.Errorf("Links = %+v, %d ended", c, len(j.ends()))
	}
	y := j.again()
	j.move(y)
	x.lose()
	j.eventually("the lane is gone", func() bool { return j.relay.Links().Trunks == 1 })
	if recs := j.records(audit.EventStreamResume); len(recs) != 2 || recs[0].FromTrunk != j.ticket.Trunk.String() || recs[1].FromTrunk != x.ticket.Trunk.String() {
		t.Errorf("records = %+v", recs)
	}
	if moved, resumed := j.meter.moved.Load(), j.meter.resumed.Load(); moved != 2 || resumed != 0 {
		t.Errorf("%d moved, %d resumed", moved, resumed)
	}
	j.host.Send(&wire.StreamEnded{Trunk: x.ticket.Trunk, Stream: j.stream, BytesToOrigin: 7, BytesToClient: 9, Code: wire.CodeClosed})
	j.eventually("the end is audited", func() bool { return len(j.ends()) == 1 })
	if end := j.ends()[0]; end.BytesToOrigin != 7 || end.BytesToClient != 9 || end.Trunk != y.ticket.Trunk.String() {
		t.Errorf("end = %+v", end)
	}
	if h := j.relay.peer(j.host.d.key).Host(); h.Streams() != 0 {
		t.Errorf("the host is said to carry %d streams", h.Streams())
	}
}

// A stream on a lane that is lost is parked as on a trunk.
func TestLostLaneParks(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	x := j.lane()
	j.move(x)
	x.lose()
	j.eventually("the stream is parked", func() bool { return j.relay.Links().Parked == 1 })
	j.move(j.pairing)
	if n := j.meter.resumed.Load(); n != 1 {
		t.Errorf("%d resumed", n)
	}
}

// A lane that is lost before its grant leaves the stream on the trunk, to which it
// comes back, whatever became of the lane's own request.
func TestBackFromALaneThatWasNotGranted(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	x := j.lane()
	x.lose()
	j.eventually("the lane is gone", func() bool { return j.relay.Links().Trunks == 1 })
	j.resume(x.ticket.Trunk) // no answer
	j.move(j.pairing)
	if c := j.relay.Links(); c.Streams != 1 || c.Parked != 0 || len(j.ends()) != 0 {
		t.Errorf("Links = %+v, %d ended", c, len(j.ends()))
	}
	if h := j.relay.peer(j.host.d.key).Host(); h.Streams() != 1 {
		t.Errorf("the host is said to carry %d streams", h.Streams())
	}
	j.move(j.lane()) // as if nothing had been
}

// A cut ends a lane as it ends a trunk: no byte passes when it returns.
func TestCutOfALane(t *testing.T) {
	t.Parallel()
	why := wire.Reason{Code: wire.CodeRevoked, Text: "revoked"}
	for _, test := range []struct {
		name string
		cut  func(*joined) error
	}{
		{"session", func(j *joined) error { return j.sessions.End(t.Context(), j.session, why) }},
		{"app", func(j *joined) error { return j.apps.Remove(t.Context(), app) }},
		// The host does not confirm, so the lane goes.
		{"stream", func(j *joined) error { return j.relay.CutStream(t.Context(), j.stream, why) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			j := newJoined(t, impatient)
			x := j.lane()
			j.move(x)
			if err := test.cut(j); err != nil {
				t.Fatal(err)
			}
			wantReset(t, x.client.NetConn())
			wantReset(t, x.host.NetConn())
			j.eventually("the end is audited", func() bool { return len(j.ends()) == 1 })
		})
	}
}

// What a lane is not for.
func TestLaneRules(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	x := j.lane()
	if j.client.open(x.ticket.Trunk); expect[*wire.Denied](j.client).Reason.Code != wire.CodeProtocol {
		t.Error("a stream began on a lane")
	}
	j.move(x)
	other := j.granted(j.client, j.host, j.ticket.Trunk)
	j.client.Send(&wire.Resume{Trunk: x.ticket.Trunk, Streams: []wire.ResumeStream{{Stream: other, From: j.ticket.Trunk}}})
	if m := expect[*wire.Denied](j.client); m.Stream != other || m.Reason.Code != wire.CodeLimit {
		t.Errorf("a second stream: %+v", m)
	}
	ask := j.laneRequest()
	ask.Host = nil
	if why := j.client.refusal(ask); why.Code != wire.CodeInvalid {
		t.Errorf("without a host: %v", why)
	}
	ask = j.laneRequest()
	ask.Carrier = "raft"
	if why := j.client.refusal(ask); why.Code != wire.CodeInvalid {
		t.Errorf("of another kind: %v", why)
	}
	// Its client says what it comes for.
	tk := call[*wire.Ticket](j.client, j.laneRequest())
	offer := expect[*wire.Offer](j.host)
	go j.clientFor(tk, j.client.d, wire.CarrierTrunk).HandshakeContext(t.Context())
	if m := expect[*wire.TicketFailed](j.client); m.Trunk != tk.Trunk || m.Reason.Code != wire.CodeProtocol {
		t.Errorf("a trunk on a lane's ticket: %+v", m)
	}
	wantReset(t, j.hostConn(offer.Label))
}

// The lanes of a session are bounded apart from its trunks.
func TestLanesAreBounded(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	var kept []*pairing
	for range wire.MaxSessionLanes {
		kept = append(kept, j.lane())
	}
	if why := j.client.refusal(j.laneRequest()); why.Code != wire.CodeLimit {
		t.Errorf("one more: %v", why)
	}
	j.again()
	kept[0].lose()
	j.eventually("one is gone", func() bool { return j.relay.Links().Trunks == len(kept)+1 })
	j.lane()
}

// A host that has no lanes is no worse a host: the next trunk leads to it.
func TestHostWithoutLanesIsNotPassedOver(t *testing.T) {
	t.Parallel()
	j := newJoined(t)
	other := &registry.Host{Connector: j.connector.ID, Key: j.client.d.key, Send: func(wire.Message) error {
		t.Error("the other host has an offer")
		return nil
	}}
	j.relay.cfg.Registry.Set(other, []wire.TunnelInfo{{Hostname: app}})
	call[*wire.Ticket](j.client, j.laneRequest())
	offer := expect[*wire.Offer](j.host)
	j.host.Send(&wire.OfferFailed{Trunk: offer.Trunk, Reason: wire.Reason{Code: wire.CodeInvalid, Text: "no lanes here"}})
	expect[*wire.TicketFailed](j.client)
	call[*wire.Ticket](j.client, &wire.TicketRequest{Session: j.session, Hostname: app})
	if o := expect[*wire.Offer](j.host); o.Carrier != wire.CarrierTrunk {
		t.Errorf("offer = %+v", o)
	}
}
