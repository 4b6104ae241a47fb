package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/authn"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/wire"
)

// ask is the first page: who asks. It changes nothing.
func (s *site) ask(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("attempt")
	secret := s.secretOf(r, id)
	v, err := s.Logins.View(id, secret)
	switch {
	case err != nil:
		s.unknown(w)
	case v.State.Final():
		s.over(w, v)
	default:
		w.Header().Set("Content-Security-Policy", policyFor(s.providerSources()))
		s.render(w, http.StatusOK, "ask", askPage{View: v, Enrol: enrols(v), Used: secret != ""})
	}
}

// providerSources is where the redirect to the provider may lead: the provider
// sends browsers on among names of its own, so it is the scheme that is named.
func (s *site) providerSources() string {
	issuer := s.Provider.Issuer()
	switch {
	case strings.HasPrefix(issuer, s.Edge().WebURL()+"/"):
		return ""
	case strings.HasPrefix(issuer, "http://"):
		return "http: https:"
	}
	return "https:"
}

// open is the first page's button.
func (s *site) open(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("attempt")
	if err := r.ParseForm(); err != nil {
		s.badForm(w)
		return
	}
	trip, err := s.Logins.Open(id, s.secretOf(r, id), addressOf(r))
	if err != nil {
		s.refused(w, r, id, err)
		return
	}
	if trip.Secret != "" {
		s.setSecret(w, id, trip.Secret)
	}
	to, err := s.Provider.AuthURL(r.Context(), authn.Request{
		State: trip.State, Nonce: trip.Nonce, Verifier: trip.Verifier, Again: r.PostForm.Get("action") == "other",
	})
	if err != nil {
		s.providerFailed(w, id, err)
		return
	}
	w.Header().Set("Content-Security-Policy", policyFor(s.providerSources()))
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// callback is the provider's answer.
func (s *site) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	id, ok := s.Logins.AttemptOf(q.Get("state"))
	if !ok {
		s.stop(w, http.StatusBadRequest, stopPage{
			Title: "Sign-in not known", What: "This answer belongs to no sign-in that is under way: it took too long, or was used already.",
			Next: "Go back to the program that asked you to sign in and start again.",
		})
		return
	}
	secret := s.secretOf(r, id)
	trip, err := s.Logins.Callback(q.Get("state"), secret)
	if err != nil {
		s.refused(w, r, id, err)
		return
	}
	// Not every provider names itself; one that does must be the one that was asked.
	if iss := q.Get("iss"); iss != "" && iss != s.Provider.Issuer() {
		s.providerFailed(w, id, errors.Join(authn.ErrProvider, errors.New("callback of another issuer")))
		return
	}
	switch failure := q.Get("error"); failure {
	case "":
	case "access_denied":
		s.end(w, r, id, secret, "the identity provider did not let the person in")
		return
	default:
		s.Log.Warn("identity provider refused", "attempt", id, "error", clip(failure))
		s.stop(w, http.StatusBadGateway, stopPage{
			Title: "Signing in did not work", What: "The identity provider answered with an error (" + clip(failure) + ").",
			Next: "Try again. If it happens again, tell an administrator of this edge.", Retry: id,
		})
		return
	}
	who, err := s.Provider.Exchange(r.Context(), q.Get("code"), trip.Verifier, trip.Nonce)
	if err != nil {
		s.providerFailed(w, id, err)
		return
	}
	if err := s.Logins.Identify(id, secret, identityOf(who)); err != nil {
		s.refused(w, r, id, err)
		return
	}
	http.Redirect(w, r, "/confirm/"+url.PathEscape(id), http.StatusSeeOther)
}

func identityOf(who authn.Identity) login.Identity {
	id := login.Identity{Name: who.Name, AMR: who.AMR, ACR: who.ACR, AuthTime: who.AuthTime}
	id.Issuer, id.Subject.Subject = who.Issuer, who.Subject
	id.Email, id.EmailVerified, id.Groups = who.Email, who.EmailVerified, who.Groups
	return id
}

// confirm asks the person; what it shows is for the owner alone.
func (s *site) confirm(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("attempt")
	v, err := s.Logins.View(id, s.secretOf(r, id))
	switch {
	case err != nil:
		s.unknown(w)
	case v.State.Final():
		s.over(w, v)
	case v.State == login.StateIdentified && v.Identity.Subject.Subject == "":
		s.refused(w, r, id, login.ErrOtherBrowser)
	case v.State != login.StateIdentified:
		http.Redirect(w, r, "/login/"+url.PathEscape(id), http.StatusSeeOther)
	default:
		s.confirmPage(w, http.StatusOK, confirmPage{View: v})
	}
}

func (s *site) confirmPage(w http.ResponseWriter, status int, p confirmPage) {
	p.Enrol, p.Who = enrols(p.View), nameOf(p.Identity)
	sources := s.providerSources() // of "sign in as somebody else"
	if p.Mode == wire.ModeLoopback {
		sources = strings.TrimSpace(sources + " http://127.0.0.1:" + strconv.Itoa(int(p.LoopbackPort)))
	}
	w.Header().Set("Content-Security-Policy", policyFor(sources))
	s.render(w, status, "confirm", p)
}

// decide takes the yes or the no.
func (s *site) decide(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("attempt")
	secret := s.secretOf(r, id)
	if err := r.ParseForm(); err != nil {
		s.badForm(w)
		return
	}
	if r.PostForm.Get("decision") != "approve" { // whatever is not a yes is a no
		s.end(w, r, id, secret, "")
		return
	}
	zone, hostnames := r.PostForm.Get("site"), r.PostForm.Get("hostnames")
	answer, err := s.Logins.Accept(id, secret, addressOf(r), zone, strings.FieldsFunc(hostnames, betweenNames))
	if errors.Is(err, login.ErrChoice) {
		v, viewErr := s.Logins.View(id, secret)
		if viewErr == nil {
			s.confirmPage(w, http.StatusUnprocessableEntity, confirmPage{View: v, Error: err.Error(), Site: zone, Hostnames: hostnames})
			return
		}
		err = viewErr
	}
	if err != nil {
		s.refused(w, r, id, err)
		return
	}
	if answer.Redirect != "" {
		http.Redirect(w, r, answer.Redirect, http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, "/done/"+url.PathEscape(id), http.StatusSeeOther)
}

func betweenNames(r rune) bool { return r <= ' ' || r == ',' || r == ';' }

// done shows the approval code, or how the attempt ended.
func (s *site) done(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("attempt")
	secret := s.secretOf(r, id)
	v, err := s.Logins.View(id, secret)
	if err != nil {
		s.unknown(w)
		return
	}
	if v.State.Final() {
		s.over(w, v)
		return
	}
	answer, err := s.Logins.Answer(id, secret)
	switch {
	case err != nil:
		s.refused(w, r, id, err)
	case answer.Code == "":
		http.Redirect(w, r, answer.Redirect, http.StatusSeeOther)
	default:
		s.render(w, http.StatusOK, "code", codePage{View: v, Code: answer.Code, CodeUntil: answer.ExpiresAt, Enrol: enrols(v)})
	}
}

// end says no for the person and shows it.
func (s *site) end(w http.ResponseWriter, r *http.Request, id, secret, text string) {
	if err := s.Logins.Refuse(id, secret, text); err != nil {
		s.refused(w, r, id, err)
		return
	}
	http.Redirect(w, r, "/done/"+url.PathEscape(id), http.StatusSeeOther)
}

func nameOf(who login.Identity) string {
	switch {
	case who.Email != "":
		return who.Email
	case who.Name != "":
		return who.Name
	}
	return who.Subject.Subject
}

// clip makes a foreign word fit for a page and a log line.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(64, len(s))]
}
