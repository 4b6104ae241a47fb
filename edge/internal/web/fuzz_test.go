package web

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/wire"
)

// FuzzCallback: no query of a stranger moves an attempt, sets a cookie or brings
// a server's error.
func FuzzCallback(f *testing.F) {
	for _, seed := range []string{"", "state=&code=x", "state=%00&error=access_denied", "state=a&state=b&iss=x", "code=x;state=y", "%zz"} {
		f.Add(seed)
	}
	st := start(f)
	started := st.begin(f, wire.ModeLoopback, wire.PurposeSession)
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, "/callback", nil)
		r.URL.RawQuery, r.Host = query, "localhost"
		w := httptest.NewRecorder()
		st.server.Config.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || w.Header().Get("Set-Cookie") != "" {
			t.Fatalf("%q: %d", query, w.Code)
		}
		if v, err := st.logins.View(started.Attempt, ""); err == nil && v.State != login.StateStarted {
			t.Fatalf("%q: state %s", query, v.State)
		}
	})
}
