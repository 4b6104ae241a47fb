package relay

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/wire"
)

// loginStart begins an attempt. What it is for follows from the link's role.
func (p *peer) loginStart(ctx context.Context, req uint32, m *wire.LoginStart) {
	if (m.Purpose == wire.PurposeEnrol) != (p.role == wire.RoleHost) {
		p.fail(req, wrongRole())
		return
	}
	started, err := p.relay.cfg.Login.Start(ctx, p.key, p.address.Addr(), m)
	if err != nil {
		p.fail(req, err)
		return
	}
	p.answer(req, started)
}

func (p *peer) loginCancel(req uint32, m *wire.LoginCancel) {
	p.relay.cfg.Login.Cancel(p.key, m.Attempt)
	p.answer(req, &wire.OK{})
}

// loginRedeem turns an approved attempt into a session or a connector.
func (p *peer) loginRedeem(ctx context.Context, req uint32, m *wire.LoginRedeem) {
	a, err := p.relay.cfg.Login.Redeem(ctx, p.key, m)
	if err != nil {
		p.fail(req, err)
		return
	}
	// The attempt is spent: what it gave must not be lost to a link that ends now.
	ctx = context.WithoutCancel(ctx)
	done, err := p.grantLogin(ctx, a)
	rec := loginRecord(p.key, *a)
	rec.DaemonAddress = p.address.String()
	if err != nil {
		rec.Outcome, rec.Reason = audit.Failed, codeOf(err)
		p.relay.cfg.Audit.Note(rec)
		p.relay.meter.Login(audit.Failed)
		p.fail(req, err)
		return
	}
	rec.Outcome = audit.OK
	p.relay.cfg.Audit.Note(rec)
	p.relay.meter.Login(audit.OK)
	p.answer(req, done)
}

func (p *peer) grantLogin(ctx context.Context, a *login.Approved) (*wire.LoginDone, error) {
	r, id := p.relay, a.Identity
	if a.Purpose == wire.PurposeEnrol {
		c, err := r.cfg.Enrol.Create(ctx, enrol.NewConnector{
			Key: p.key, Site: a.Site, Hostnames: a.Hostnames, DeviceName: a.DeviceName, By: id.Email,
		})
		if err != nil {
			return nil, err
		}
		r.auditConnector(p, c)
		p.enrolled(ctx, c)
		info := r.cfg.Enrol.Info(c)
		return &wire.LoginDone{Connector: &info}, nil
	}
	s, token, err := r.cfg.Sessions.Create(ctx, sessions.NewSession{
		Key: p.key,
		Person: wire.PersonInfo{
			Issuer: id.Issuer, Subject: id.Subject.Subject, Email: id.Email, Name: id.Name, Groups: id.Groups,
		},
		EmailVerified: id.EmailVerified, AMR: id.AMR, ACR: id.ACR, AuthTime: id.AuthTime,
		DeviceName: a.DeviceName, OSUser: a.OSUser, From: p.address.Addr().String(), VouchedAt: a.ReturnedAt,
	})
	if err != nil {
		return nil, err
	}
	rec := decide.PersonRecord(s)
	rec.Event, rec.Outcome, rec.Attempt = audit.EventSessionStarted, audit.OK, a.Attempt
	rec.DaemonAddress = p.address.String()
	r.cfg.Audit.Note(rec)
	p.bind(true)
	info := sessions.Info(s)
	return &wire.LoginDone{Session: &info, SessionToken: token}, nil
}

// logout ends a session of the link's key; the answer comes when all is cut.
func (p *peer) logout(ctx context.Context, req uint32, m *wire.Logout) {
	if _, why := p.relay.ask.SessionOf(p, m.Session); why != nil {
		p.fail(req, why)
		return
	}
	why := wire.Reason{Code: wire.CodeLoggedOut, Text: "you have signed out", Hint: "sallyport login"}
	if err := p.relay.cfg.Sessions.End(ctx, m.Session, why); err != nil {
		p.fail(req, err)
		return
	}
	p.answer(req, &wire.OK{})
}

// loginEnded is the hook for attempts that the daemon did not end.
func (r *Relay) loginEnded(key wire.KeyID, attempt string, why wire.Reason) {
	if p := r.peer(key); p != nil {
		p.Tell(&wire.LoginEnded{Attempt: attempt, Reason: why})
	}
}

// loginAudit is the hook for every attempt that was not redeemed.
func (r *Relay) loginAudit(e login.Ended) {
	rec := loginRecord(e.Key, e.Approved)
	rec.Outcome, rec.Reason, rec.Failure = audit.Refused, e.Reason.Text, string(e.Reason.Code)
	r.cfg.Audit.Note(rec)
	r.meter.Login(audit.Refused)
}

func loginRecord(key wire.KeyID, a login.Approved) audit.Record {
	rec := audit.Record{
		Event: audit.EventLogin, Attempt: a.Attempt, Mode: string(a.Mode), Purpose: string(a.Purpose),
		KeyHash: key.String(), DeviceName: decide.Clip(a.DeviceName), OSUser: decide.Clip(a.OSUser), Site: a.Site,
		Issuer: a.Identity.Issuer, Subject: a.Identity.Subject.Subject, Email: a.Identity.Email,
		Groups: a.Identity.Groups, AMR: a.Identity.AMR, ACR: a.Identity.ACR,
	}
	if a.From.IsValid() {
		rec.DaemonAddress = a.From.String()
	}
	if a.Browser.IsValid() {
		rec.BrowserAddress = a.Browser.String()
	}
	if !a.Identity.AuthTime.IsZero() {
		rec.AuthTime = a.Identity.AuthTime.UTC().Format(time.RFC3339)
	}
	return rec
}
