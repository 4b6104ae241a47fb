package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/sallyport/sallyport/edge/internal/authn"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/wire"
)

const startAgain = "Go back to the program that asked you to sign in and start again."

func (s *site) unknown(w http.ResponseWriter) {
	s.stop(w, http.StatusNotFound, stopPage{
		Title: "Sign-in not known", What: "This sign-in is not under way: it took too long, was replaced by a newer one, or never was.",
		Next: startAgain,
	})
}

func (s *site) badForm(w http.ResponseWriter) {
	s.stop(w, http.StatusBadRequest, stopPage{Title: "Not accepted", What: "The form could not be read.", Next: "Go back and try again."})
}

// over tells how an attempt ended.
func (s *site) over(w http.ResponseWriter, v login.View) {
	p := stopPage{Title: "Sign-in is over", What: "This sign-in has ended.", Next: startAgain}
	status := http.StatusGone
	switch v.State {
	case login.StateRedeemed:
		p.Title, p.What, p.Next = "You are done", "The program that asked has what it needs.", "You can close this window."
		status = http.StatusOK
	case login.StateRefused:
		p.Title, p.What = "Not signed in", sentence(v.Reason.Text)
		p.Next = "You can close this window. If you did not ask for this sign-in, tell an administrator of this edge."
		if v.Reason.Hint != "" && v.Reason.Code == wire.CodeDenied {
			p.Next = sentence(v.Reason.Hint)
		}
	case login.StateExpired, login.StateAbandoned:
		p.What = sentence(v.Reason.Text)
	}
	s.stop(w, status, p)
}

// refused tells why a step of an attempt was not taken.
func (s *site) refused(w http.ResponseWriter, r *http.Request, id string, err error) {
	switch {
	case errors.Is(err, login.ErrUnknown):
		s.unknown(w)
	case errors.Is(err, login.ErrOver), errors.Is(err, login.ErrNotPublisher):
		if v, err := s.Logins.View(id, s.secretOf(r, id)); err == nil && v.State.Final() {
			s.over(w, v)
			return
		}
		s.unknown(w)
	case errors.Is(err, login.ErrOtherBrowser):
		s.Log.Warn("sign-in tried from a second browser", "attempt", id, "from", addressOf(r))
		s.stop(w, http.StatusForbidden, stopPage{
			Title: "Opened in another browser", What: "This sign-in was opened in another browser, or this browser does not keep cookies.",
			Next: "Go on in the browser that opened it first. If that was not you, start a new sign-in: the old one ends then.",
		})
	case errors.Is(err, login.ErrOrder):
		http.Redirect(w, r, "/login/"+url.PathEscape(id), http.StatusSeeOther)
	default:
		s.Log.Error("sign-in step failed", "attempt", id, "error", err)
		s.stop(w, http.StatusInternalServerError, stopPage{Title: "Something went wrong", What: "The edge could not go on with this sign-in.", Next: startAgain})
	}
}

// providerFailed tells that the identity provider did not do its part.
func (s *site) providerFailed(w http.ResponseWriter, id string, err error) {
	s.Log.Warn("identity provider failed", "attempt", id, "error", err)
	p := stopPage{Title: "Signing in did not work", Retry: id}
	switch {
	case errors.Is(err, authn.ErrUnreachable):
		p.What = "The identity provider cannot be reached at the moment."
		p.Next = "Try again in a minute. If it lasts, tell an administrator of this edge. Connections that are open go on."
	case errors.Is(err, authn.ErrCode):
		p.What = "The identity provider did not accept its own answer: it was used already, or took too long."
		p.Next = "Try again."
	default:
		p.What = "The identity provider's answer could not be accepted. The edge's log says why."
		p.Next = "Tell an administrator of this edge."
	}
	s.stop(w, http.StatusBadGateway, p)
}

// sentence makes a line of a page of a reason's text.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if c := text[0]; c >= 'a' && c <= 'z' {
		text = string(c-'a'+'A') + text[1:]
	}
	return text + "."
}
