package web

import (
	"net/http"
	"strings"
)

func (s *site) setupForm(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if s.Setup.CheckSetup(token) != nil {
		s.setupOver(w)
		return
	}
	s.render(w, http.StatusOK, "setup", setupPage{Token: token})
}

func (s *site) setupOver(w http.ResponseWriter) {
	s.stop(w, http.StatusForbidden, stopPage{
		Title: "Set-up link not valid", What: "This link is not valid: it was used already, is too old, or is not complete.",
		Next: "The command sallyport-edge setup-link on the edge gives a new one as long as there is nobody who can sign in.",
	})
}

func (s *site) setup(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		s.badForm(w)
		return
	}
	f := r.PostForm
	p := setupPage{Token: f.Get("token"), Email: strings.TrimSpace(f.Get("email")), Name: strings.TrimSpace(f.Get("name"))}
	if s.Setup.CheckSetup(p.Token) != nil {
		s.setupOver(w)
		return
	}
	if f.Get("password") != f.Get("again") {
		p.Error = "The two passwords differ."
		s.render(w, http.StatusUnprocessableEntity, "setup", p)
		return
	}
	err := s.Setup.SetupPerson(r.Context(), p.Token, p.Email, p.Name, f.Get("password"))
	switch {
	case err == nil:
		s.render(w, http.StatusOK, "ready", readyPage{Email: p.Email, Edge: s.edgeName()})
	case s.Setup.CheckSetup(p.Token) != nil:
		s.setupOver(w)
	default:
		p.Error = sentence(strings.ReplaceAll(err.Error(), "\n", "; "))
		s.render(w, http.StatusUnprocessableEntity, "setup", p)
	}
}
