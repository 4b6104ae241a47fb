package relay

import (
	"context"

	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/wire"
)

// open takes an OpenRequest on the link's reader: the row is made at once, the
// decision is left to others.
func (p *peer) open(ctx context.Context, req uint32, m *wire.OpenRequest) {
	o, why := p.relay.trunks.Reserve(p, m)
	if why == nil && !p.opens.Put(func() { p.answerOpen(req, m, o.Decide(ctx)) }) {
		why = o.Forget()
	}
	if why != nil {
		p.answerOpen(req, m, why)
	}
}

// resume takes a Resume on the link's reader; each stream is decided like one
// that is opened.
func (p *peer) resume(ctx context.Context, m *wire.Resume) {
	if len(m.Streams) > wire.MaxResume {
		p.link.CloseWith(errProtocol)
		return
	}
	for i := range m.Streams {
		s := &m.Streams[i]
		asked := &wire.OpenRequest{Trunk: m.Trunk, Stream: s.Stream}
		o, why := p.relay.trunks.Resume(p, m.Trunk, s)
		if why == nil && !p.opens.Put(func() { p.answerResume(asked, o.Decide(ctx)) }) {
			why = o.Forget()
		}
		if why != nil {
			p.answerResume(asked, why)
		}
	}
}

// answerResume is answerOpen but for a trunk that is gone, or soon will be: its
// client notices, and asks again with another. The stream itself may go on.
func (p *peer) answerResume(m *wire.OpenRequest, why *wire.Reason) {
	if why == nil || why != decide.Gone && why.Code != wire.CodeDraining {
		p.answerOpen(0, m, why)
	}
}

// answerOpen tells the client that a stream is denied. That it is granted it
// hears from the host.
func (p *peer) answerOpen(req uint32, m *wire.OpenRequest, why *wire.Reason) {
	if why != nil {
		p.Tell(&wire.Denied{Trunk: m.Trunk, Stream: m.Stream, Reason: *why})
	}
	switch {
	case req == 0:
	case why != nil:
		p.fail(req, why)
	default:
		p.answer(req, &wire.OK{})
	}
}

// ticket answers a TicketRequest.
func (p *peer) ticket(req uint32, m *wire.TicketRequest) {
	tk, why := p.relay.trunks.Request(p, m)
	if why != nil {
		p.fail(req, why)
		return
	}
	p.answer(req, tk)
}

// apps answers which hostnames the person may reach.
func (p *peer) apps(req uint32, m *wire.AppsRequest) {
	r := p.relay
	s, why := r.ask.SessionOf(p, m.Session)
	if why != nil {
		p.fail(req, why)
		return
	}
	reply, size := &wire.Apps{Apps: []wire.AppInfo{}}, 0
	for _, app := range r.cfg.Apps.List() {
		if !policy.Decide(&app, s.Subject()).Allow {
			continue
		}
		// 40 is more than the rest of an entry takes as JSON.
		if size += len(app.Hostname) + 40; size > wire.MaxMessage-1024 {
			r.log.Warn("list of apps cut short", "session", s.ID)
			break
		}
		reply.Apps = append(reply.Apps, wire.AppInfo{Hostname: app.Hostname, Online: r.cfg.Registry.Online(app.Hostname)})
	}
	p.answer(req, reply)
}
