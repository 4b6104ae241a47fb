package link

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// handle takes one message of the edge. It is called on the link's reader.
func (l *Link) handle(inst *instance, req uint32, m wire.Message) {
	select {
	case <-inst.ready:
	case <-inst.Done():
		return
	}
	switch m := m.(type) {
	case *wire.Offer, *wire.Grant:
		l.toHost(inst, m)
	case *wire.Cut:
		if l.cfg.Host != nil {
			l.toHost(inst, m)
		} else {
			l.log.Info("cut", "trunk", m.Trunk, "stream", m.Stream, "reason", m.Reason.Error())
			l.trunks.Cut(m)
		}
	case *wire.ConnectorEnded:
		l.log.Warn("enrolment ended", "connector", m.Connector, "reason", m.Reason.Error())
		l.update(func(f *facts) { f.connector, f.connectorEnd, f.registered = nil, &m.Reason, nil })
		l.toHost(inst, m)
	case *wire.Denied:
		l.trunks.Denied(m)
	case *wire.TicketFailed:
		l.trunks.TicketFailed(m)
	case *wire.SessionEnded:
		l.log.Info("session ended", "session", m.Session, "reason", m.Reason.Error())
		l.endSession(m.Session, m.Reason)
	case *wire.SessionExtended:
		l.extendSession(m.Session, m.ExpiresAt)
	case *wire.ExpireSoon:
		l.log.Info("session expires soon", "session", m.Session, "at", m.ExpiresAt)
		l.extendSession(m.Session, m.ExpiresAt)
	case *wire.LoginEnded:
		l.mu.Lock()
		f := l.loginEnded
		l.mu.Unlock()
		if f != nil {
			f(m.Attempt, m.Reason)
		}
	case *wire.Drain:
		l.log.Info("edge drains", "deadline", m.Deadline)
	case *wire.MoveTo:
		l.log.Info("edge asks to move", "edge_id", m.EdgeID)
	default:
		l.log.Warn("unexpected message", "kind", int(m.Kind()))
		if req != 0 {
			inst.Reply(req, &wire.Failure{Reason: wire.Reason{Code: wire.CodeInvalid, Text: "a daemon does not answer this"}})
		}
	}
}

func (l *Link) toHost(inst *instance, m wire.Message) {
	if l.cfg.Host != nil {
		l.cfg.Host.Handle(inst.Link, m)
	}
}

// tend looks after what time alone brings about: idle
// trunks, an unneeded link.
func (l *Link) tend(ctx context.Context) {
	ticker := time.NewTicker(l.timing.Sweep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		l.trunks.Sweep(time.Now(), l.timing.TrunkIdle)
		if inst := l.unneeded(); inst != nil {
			inst.CloseWith(errUnneeded)
		}
	}
}

// unneeded returns the instance if nothing has needed it for long.
func (l *Link) unneeded() *instance {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &l.facts
	if f.inst == nil || f.session != nil || f.connector != nil || l.now().Sub(f.used) < l.timing.Unneeded {
		return nil
	}
	return f.inst
}
