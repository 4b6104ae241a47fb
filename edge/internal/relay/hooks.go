package relay

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/wire"
)

// sessionEnded is the hook of the sessions: it returns when all is cut.
func (r *Relay) sessionEnded(ctx context.Context, s sessions.Session, why wire.Reason) {
	started := time.Now()
	if p := r.peer(s.Key); p != nil && p.role == wire.RoleClient {
		p.Tell(&wire.SessionEnded{Session: s.ID, Reason: why})
		p.bind(false)
	}
	n := r.trunks.CutSession(ctx, s.ID, why)
	r.cfg.Registry.Forget(s.ID)
	rec := decide.PersonRecord(s)
	rec.Event, rec.Outcome, rec.Cause, rec.Reason = audit.EventSessionEnded, audit.OK, string(why.Code), why.Text
	rec.StreamsCut, rec.CutMS = n, time.Since(started).Milliseconds()
	r.cfg.Audit.Note(rec)
}

// connectorRevoked is the hook of the enrolments: it returns when all is cut.
func (r *Relay) connectorRevoked(ctx context.Context, c enrol.Connector, why wire.Reason) {
	if p := r.peer(c.Key); p != nil {
		if host := p.unsetHost(c.ID); host != nil {
			r.cfg.Registry.Remove(host)
			p.Tell(&wire.ConnectorEnded{Connector: c.ID, Reason: why})
			p.bind(false)
			defer r.trunks.HostGone(host)
		}
	}
	started := time.Now()
	n := r.trunks.CutConnector(ctx, c.ID)
	r.cfg.Audit.Note(audit.Record{
		Event: audit.EventConnectorRevoked, Outcome: audit.OK, Cause: string(why.Code), Reason: why.Text,
		Connector: c.ID, Object: c.ID, Group: c.Group, Site: c.Site, KeyHash: c.Key.String(), DeviceName: c.DeviceName,
		StreamsCut: n, CutMS: time.Since(started).Milliseconds(),
	})
}

// appRemoved is the hook of the apps: it returns when all is cut.
func (r *Relay) appRemoved(ctx context.Context, hostname string) {
	n := r.trunks.CutApp(ctx, hostname)
	r.log.Info("app removed", "app", hostname, "streams_cut", n)
}

// appChanged is the hook of the apps: it returns when all is cut that the app no
// longer allows.
func (r *Relay) appChanged(ctx context.Context, hostname string) {
	if n := r.trunks.Recheck(ctx, hostname, wire.PersonInfo{}); n > 0 {
		r.log.Info("policy changed", "app", hostname, "streams_cut", n)
	}
}

// PersonChanged is to be called when the groups of a person have changed in their
// sessions; it returns when all is cut that the policies no longer allow.
func (r *Relay) PersonChanged(ctx context.Context, issuer, subject string) {
	if n := r.trunks.Recheck(ctx, "", wire.PersonInfo{Issuer: issuer, Subject: subject}); n > 0 {
		r.log.Info("groups changed", "subject", subject, "streams_cut", n)
	}
}

// claimed is the hook for new claims.
func (r *Relay) claimed(c enrol.Connector, hostname string) {
	r.cfg.Audit.Note(audit.Record{
		Event: audit.EventClaim, Outcome: audit.OK, Hostname: hostname,
		Connector: c.ID, Group: c.Group, Site: c.Site, KeyHash: c.Key.String(),
	})
	r.log.Info("hostname claimed", "app", hostname, "connector", c.ID, "site", c.Site)
}
