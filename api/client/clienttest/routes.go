package clienttest

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/sallyport/sallyport/api"
)

func (d *Daemon) handler() http.Handler {
	mux := http.NewServeMux()
	d.readRoutes(mux)
	mux.HandleFunc("POST /v1/edges", d.useEdge)
	mux.HandleFunc("DELETE /v1/edges/{id}", remove(d, func(s *api.Status) *[]api.Edge { return &s.Edges }, func(e api.Edge) string { return e.ID }))

	mux.HandleFunc("POST /v1/forwards", d.addForward)
	mux.HandleFunc("GET /v1/forwards/{id}", get(d, forwards, forwardID))
	mux.HandleFunc("PATCH /v1/forwards/{id}", d.editForward)
	mux.HandleFunc("DELETE /v1/forwards/{id}", remove(d, forwards, forwardID))

	mux.HandleFunc("POST /v1/tunnels", d.addTunnel)
	mux.HandleFunc("GET /v1/tunnels/{id}", get(d, tunnels, tunnelID))
	mux.HandleFunc("PATCH /v1/tunnels/{id}", d.editTunnel)
	mux.HandleFunc("DELETE /v1/tunnels/{id}", remove(d, tunnels, tunnelID))

	mux.HandleFunc("POST /v1/enrolments", d.enrol)
	mux.HandleFunc("POST /v1/logins", d.startLogin)
	mux.HandleFunc("GET /v1/logins/{id}", get(d, logins, loginID))
	mux.HandleFunc("DELETE /v1/logins/{id}", d.cancelLogin)
	mux.HandleFunc("POST /v1/logins/{id}/redeem", d.redeem)
	mux.HandleFunc("DELETE /v1/sessions/{id}", remove(d, func(s *api.Status) *[]api.Session { return &s.Sessions }, func(s api.Session) string { return s.ID }))
	mux.HandleFunc("POST /v1/streams", d.openStream)
	mux.HandleFunc("GET /v1/streams/{id}", d.streamEnd)
	return d.guard(mux)
}

func (d *Daemon) readRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, api.Version{Version: "1.2.3", Commit: "abc", Go: "go1.26.8", OS: "linux", Arch: "amd64", Features: []string{"streams"}})
	})
	mux.HandleFunc("GET /v1/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(api.OpenAPI())
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, d.Status()) })
	mux.HandleFunc("GET /v1/events", d.events)
	mux.HandleFunc("GET /v1/apps", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		answer(w, http.StatusOK, slices.Concat([]api.App{}, d.apps))
	})
	mux.HandleFunc("GET /v1/edges", list(d, func(s *api.Status) *[]api.Edge { return &s.Edges }))
	mux.HandleFunc("GET /v1/forwards", list(d, forwards))
	mux.HandleFunc("GET /v1/tunnels", list(d, tunnels))
	mux.HandleFunc("GET /v1/logins", list(d, logins))
	mux.HandleFunc("GET /v1/sessions", list(d, func(s *api.Status) *[]api.Session { return &s.Sessions }))
	mux.HandleFunc("GET /v1/enrolments", list(d, func(s *api.Status) *[]api.Enrolment { return &s.Enrolments }))
}

func forwards(s *api.Status) *[]api.Forward { return &s.Forwards }
func forwardID(f api.Forward) string        { return f.ID }
func tunnels(s *api.Status) *[]api.Tunnel   { return &s.Tunnels }
func tunnelID(t api.Tunnel) string          { return t.ID }
func logins(s *api.Status) *[]api.Login     { return &s.Logins }
func loginID(l api.Login) string            { return l.ID }

// guard notes every request, refuses a foreign Host and plays Fail.
func (d *Daemon) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := r.Method + " " + r.URL.Path
		d.mu.Lock()
		d.calls = append(d.calls, route)
		p := d.fails[route]
		d.mu.Unlock()
		switch {
		case r.Host != "sallyport":
			fail(w, http.StatusForbidden, api.Problem{Code: api.CodePermission, Title: "foreign host"})
		case p.Code != "":
			fail(w, http.StatusBadRequest, p)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func list[T any](d *Daemon, of func(*api.Status) *[]T) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		st := d.Status()
		answer(w, http.StatusOK, slices.Concat([]T{}, *of(&st)))
	}
}

func get[T any](d *Daemon, of func(*api.Status) *[]T, id func(T) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		st := d.Status()
		for _, v := range *of(&st) {
			if id(v) == r.PathValue("id") {
				answer(w, http.StatusOK, v)
				return
			}
		}
		notFound(w)
	}
}

func remove[T any](d *Daemon, of func(*api.Status) *[]T, id func(T) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		found := false
		d.Change(func(s *api.Status) {
			n := len(*of(s))
			*of(s) = slices.DeleteFunc(*of(s), func(v T) bool { return id(v) == r.PathValue("id") })
			found = len(*of(s)) < n
		})
		if !found {
			notFound(w)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// edit changes one object in place and answers it.
func edit[T any](d *Daemon, w http.ResponseWriter, of func(*api.Status) *[]T, is func(T) bool, change func(*T)) {
	var got *T
	d.Change(func(s *api.Status) {
		for i := range *of(s) {
			if is((*of(s))[i]) {
				change(&(*of(s))[i])
				v := (*of(s))[i]
				got = &v
			}
		}
	})
	if got == nil {
		notFound(w)
		return
	}
	answer(w, http.StatusOK, got)
}

// read decodes a body as strictly as the daemon does.
func read[T any](w http.ResponseWriter, r *http.Request) (T, bool) {
	var in T
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, api.MaxBodyBytes))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		fail(w, http.StatusBadRequest, api.Problem{Code: api.CodeInvalid, Title: "bad body", Detail: err.Error()})
		return in, false
	}
	return in, true
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, status int, p api.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(p)
}

func notFound(w http.ResponseWriter) {
	fail(w, http.StatusNotFound, api.Problem{Code: api.CodeNotFound, Title: "no such object"})
}
