package main

import (
	"crypto/sha256"
	"io"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/idp"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/wire"
)

// Somebody who is removed between the yes in the browser and the code at the
// daemon gets no session.
func TestRemovedPersonCannotFinishALogin(t *testing.T) {
	t.Parallel()
	e := prepare(t)
	c, err := config.Load(e.file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := openRooms(t.Context(), e.file, c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer r.store.Close()
	p, _, err := r.idp.People().Add(t.Context(), idp.NewPerson{Email: "mallory@site.com"})
	if err != nil {
		t.Fatal(err)
	}
	key, verifier := wire.KeyID{1}, []byte("verifier")
	hash := sha256.Sum256(verifier)
	from := netip.MustParseAddr("192.0.2.1")
	started, err := r.login.Start(t.Context(), key, from, &wire.LoginStart{Purpose: wire.PurposeSession, Mode: wire.ModeCode, VerifierHash: hash[:]})
	if err != nil {
		t.Fatal(err)
	}
	trip, err := r.login.Open(started.Attempt, "", from)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.login.Callback(trip.State, trip.Secret); err != nil {
		t.Fatal(err)
	}
	who := login.Identity{}
	who.Issuer, who.Subject.Subject, who.Email, who.EmailVerified = r.idp.Issuer(), p.Subject, p.Email, true
	if err := r.login.Identify(started.Attempt, trip.Secret, who); err != nil {
		t.Fatal(err)
	}
	answer, err := r.login.Accept(started.Attempt, trip.Secret, from, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.idp.People().Remove(t.Context(), p.Email); err != nil {
		t.Fatal(err)
	}
	if a, err := r.login.Redeem(t.Context(), key, &wire.LoginRedeem{Attempt: started.Attempt, Code: answer.Code, Verifier: verifier}); err == nil {
		t.Fatalf("the code of a removed person was taken: %+v", a.Identity)
	}
}
