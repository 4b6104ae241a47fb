package relay

import (
	"crypto/sha256"
	"net/netip"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/wire"
)

var browser = netip.MustParseAddr("192.0.2.8")

func loginStart(purpose wire.LoginPurpose, verifier []byte) *wire.LoginStart {
	hash := sha256.Sum256(verifier)
	return &wire.LoginStart{Purpose: purpose, Mode: wire.ModeCode, DeviceName: "laptop-7", OSUser: "bob", VerifierHash: hash[:]}
}

// approve walks an attempt through the browser's side; it returns the code.
func (w *world) approve(attempt, email, site string, groups ...string) string {
	w.t.Helper()
	s := w.relay.cfg.Login
	trip := must[login.Trip](w.t)(s.Open(attempt, "", browser))
	if _, err := s.Callback(trip.State, trip.Secret); err != nil {
		w.t.Fatal(err)
	}
	who := login.Identity{Subject: policy.Subject{Issuer: "iss", Subject: email, Email: email, EmailVerified: true, Groups: groups}, Name: "Alice"}
	if err := s.Identify(attempt, trip.Secret, who); err != nil {
		w.t.Fatal(err)
	}
	return must[login.Answer](w.t)(s.Accept(attempt, trip.Secret, browser, site, nil)).Code
}

func TestLoginGivesSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.allow(app, "email:alice@site.com")
	p := w.device().link(wire.Hello{Role: wire.RoleClient})
	verifier := []byte("verifier")
	started := call[*wire.LoginStarted](p, loginStart(wire.PurposeSession, verifier))
	code := w.approve(started.Attempt, "alice@site.com", "", "staff")
	if why := p.refusal(&wire.LoginRedeem{Attempt: started.Attempt, Code: "WRONGCOD", Verifier: verifier}); why.Code != wire.CodeInvalid {
		t.Errorf("a wrong code: %v", why)
	}
	done := call[*wire.LoginDone](p, &wire.LoginRedeem{Attempt: started.Attempt, Code: code, Verifier: verifier})
	if done.Session == nil || done.SessionToken == "" || done.Session.Person.Email != "alice@site.com" || done.Session.Person.Name != "Alice" {
		t.Fatalf("done = %+v", done)
	}
	if apps := call[*wire.Apps](p, &wire.AppsRequest{Session: done.Session.ID}).Apps; len(apps) != 1 {
		t.Errorf("apps = %v", apps)
	}
	if c := w.relay.Links(); c.Waiting != 0 {
		t.Errorf("Links = %+v", c)
	}
	w.eventually("audited", func() bool {
		l, s := w.records(audit.EventLogin), w.records(audit.EventSessionStarted)
		return len(l) == 1 && l[0].Outcome == audit.OK && l[0].Email == "alice@site.com" && l[0].BrowserAddress == browser.String() &&
			len(s) == 1 && s[0].Session == done.Session.ID
	})
	// A second login replaces the first session; its link hears that.
	started = call[*wire.LoginStarted](p, loginStart(wire.PurposeSession, verifier))
	code = w.approve(started.Attempt, "alice@site.com", "")
	again := call[*wire.LoginDone](p, &wire.LoginRedeem{Attempt: started.Attempt, Code: code, Verifier: verifier})
	if m := expect[*wire.SessionEnded](p); m.Session != done.Session.ID {
		t.Errorf("ended = %+v", m)
	}
	if again.Session.ID == done.Session.ID {
		t.Error("the old session went on")
	}
}

func TestLoginEnrols(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := *w.conf.Load()
	c.Administrators = []string{"group:admins"}
	w.set(&c)
	p := w.device().link(wire.Hello{Role: wire.RoleHost})
	verifier := []byte("verifier")
	started := call[*wire.LoginStarted](p, loginStart(wire.PurposeEnrol, verifier))
	code := w.approve(started.Attempt, "alice@site.com", "site.com", "admins")
	done := call[*wire.LoginDone](p, &wire.LoginRedeem{Attempt: started.Attempt, Code: code, Verifier: verifier})
	if done.Connector == nil || done.Session != nil || done.Connector.Site != "site.com" {
		t.Fatalf("done = %+v", done)
	}
	if res := p.register(app, "tcp.other.org", "Not A Name"); res[0].Reason != nil || res[1].Reason == nil || res[2].Reason == nil ||
		res[1].Reason.Code != wire.CodeOutOfScope || res[2].Reason.Code != wire.CodeInvalid {
		t.Errorf("registered %+v", res)
	}
	if !w.relay.cfg.Registry.Online(app) {
		t.Error("the hostname is not routed")
	}
	w.eventually("audited", func() bool {
		created, claims := w.records(audit.EventConnectorCreated), w.records(audit.EventClaim)
		return len(created) == 1 && created[0].Connector == done.Connector.ID && created[0].Actor == "alice@site.com" &&
			len(claims) == 1 && claims[0].Hostname == app
	})
	// Another group cannot have it.
	other, _ := w.host()
	if res := other.register(app); res[0].Reason == nil || res[0].Reason.Code != wire.CodeHostnameTaken {
		t.Errorf("registered %+v", res)
	}
}

func TestLoginEndsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.device().link(wire.Hello{Role: wire.RoleClient})
	started := call[*wire.LoginStarted](p, loginStart(wire.PurposeSession, []byte("v")))
	s := w.relay.cfg.Login
	trip := must[login.Trip](t)(s.Open(started.Attempt, "", browser))
	if err := s.Refuse(started.Attempt, trip.Secret, "not me"); err != nil {
		t.Fatal(err)
	}
	if m := expect[*wire.LoginEnded](p); m.Attempt != started.Attempt || m.Reason.Code != wire.CodeRefused {
		t.Errorf("ended = %+v", m)
	}
	w.eventually("audited", func() bool {
		l := w.records(audit.EventLogin)
		return len(l) == 1 && l[0].Outcome == audit.Refused && l[0].Attempt == started.Attempt
	})
	started = call[*wire.LoginStarted](p, loginStart(wire.PurposeSession, []byte("v")))
	call[*wire.OK](p, &wire.LoginCancel{Attempt: started.Attempt})
	if why := p.refusal(&wire.LoginRedeem{Attempt: started.Attempt, Code: "x", Verifier: []byte("v")}); why == nil {
		t.Error("a cancelled attempt was redeemed")
	}
}
