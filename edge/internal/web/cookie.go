package web

import (
	"net/http"
	"time"
)

// cookieLife is a little more than an attempt may take.
const cookieLife = 15 * time.Minute

// cookieName gives each attempt a cookie of its own: two programs may ask at once.
func (s *site) cookieName(attempt string) string {
	name := "sallyport-login-" + attempt[:min(8, len(attempt))]
	if s.secure() {
		return "__Host-" + name
	}
	return name // on http at localhost a browser takes no __Host- cookie
}

// secretOf is what the browser holds for an attempt, "" without a cookie.
func (s *site) secretOf(r *http.Request, attempt string) string {
	c, err := r.Cookie(s.cookieName(attempt))
	if err != nil {
		return ""
	}
	return c.Value
}

func (s *site) setSecret(w http.ResponseWriter, attempt, secret string) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(attempt), Value: secret, Path: "/", MaxAge: int(cookieLife.Seconds()),
		Secure: s.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
