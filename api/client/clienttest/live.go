package clienttest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/api"
)

// lineWriter sends ndjson, one flushed line a value.
type lineWriter struct {
	w   http.ResponseWriter
	enc *json.Encoder
}

func newLines(w http.ResponseWriter, status int) *lineWriter {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(status)
	return &lineWriter{w: w, enc: json.NewEncoder(w)}
}

func (l *lineWriter) send(v any) bool {
	if l.enc.Encode(v) != nil {
		return false
	}
	return http.NewResponseController(l.w).Flush() == nil
}

func (d *Daemon) events(w http.ResponseWriter, r *http.Request) {
	out := newLines(w, http.StatusOK)
	for {
		d.mu.Lock()
		st, seq, changed := d.statusLocked(), d.seq, d.changed
		d.mu.Unlock()
		if !out.send(api.Event{Seq: seq, Kind: api.EventStatus, Status: &st}) || !d.await(r, changed) {
			return
		}
	}
}

// await returns false when the request, or the daemon, is over.
func (d *Daemon) await(r *http.Request, changed <-chan struct{}) bool {
	select {
	case <-changed:
		return true
	case <-d.ended:
	case <-r.Context().Done():
	}
	return false
}

// created answers a POST: the object, or with hold a line per change of it until
// the request ends, when the object goes too.
func created[T any](d *Daemon, w http.ResponseWriter, r *http.Request, hold bool, v T, of func(*api.Status) *[]T, id func(T) string) {
	if !hold {
		answer(w, http.StatusCreated, v)
		return
	}
	follow(d, w, r, id(v), of, id, func(T) bool { return false })
	d.Change(func(s *api.Status) {
		for i, o := range *of(s) {
			if id(o) == id(v) {
				*of(s) = append((*of(s))[:i:i], (*of(s))[i+1:]...)
				return
			}
		}
	})
}

// follow sends a line per change of one object until it is final or gone.
func follow[T any](d *Daemon, w http.ResponseWriter, r *http.Request, want string, of func(*api.Status) *[]T, id func(T) string, final func(T) bool) {
	out := newLines(w, http.StatusCreated)
	var sent []byte
	for {
		d.mu.Lock()
		st, changed := d.statusLocked(), d.changed
		d.mu.Unlock()
		var now *T
		for _, v := range *of(&st) {
			if id(v) == want {
				now = &v
			}
		}
		if now == nil {
			return
		}
		line, err := json.Marshal(now)
		if err != nil {
			panic(err)
		}
		if !bytes.Equal(line, sent) && !out.send(json.RawMessage(line)) {
			return
		}
		sent = line
		if final(*now) || !d.await(r, changed) {
			return
		}
	}
}

func (d *Daemon) startLogin(w http.ResponseWriter, r *http.Request) {
	in, ok := read[api.LoginInput](w, r)
	if !ok {
		return
	}
	var l api.Login
	d.Change(func(s *api.Status) { l = d.beginLocked(s, in) })
	if !in.Hold {
		answer(w, http.StatusCreated, l)
		return
	}
	follow(d, w, r, l.ID, logins, loginID, func(l api.Login) bool { return l.State.Final() })
	d.Change(func(s *api.Status) {
		for i := range s.Logins {
			if o := &s.Logins[i]; o.ID == l.ID && !o.State.Final() {
				o.State = api.LoginCancelled
			}
		}
	})
}

// beginLocked joins the attempt under way, takes the wanted one or makes one.
func (d *Daemon) beginLocked(s *api.Status, in api.LoginInput) api.Login {
	for i := range s.Logins {
		l := &s.Logins[i]
		if l.State == api.LoginBrowser && l.Mode == in.Mode {
			return *l
		}
		if l.State == api.LoginWanted {
			d.fillLocked(l, in)
			return *l
		}
	}
	l := api.Login{ID: d.idLocked("lgn"), Edge: "edge.site.com", Owner: s.User}
	if in.Edge != "" {
		l.Edge = in.Edge
	}
	d.fillLocked(&l, in)
	s.Logins = append(s.Logins, l)
	return l
}

func (d *Daemon) fillLocked(l *api.Login, in api.LoginInput) {
	expires := Start.Add(10 * time.Minute)
	l.Mode, l.State, l.LoopbackPort = in.Mode, api.LoginBrowser, in.LoopbackPort
	l.Purpose = in.Purpose
	if l.Purpose == "" {
		l.Purpose = api.PurposeSession
	}
	l.URL = "https://" + l.Edge + "/login/" + l.ID
	l.CompareCode, l.ExpiresAt = "KITE-42", &expires
	d.logins[l.ID] = in
	if d.CodeOnly && in.Mode == api.ModeLoopback {
		l.State, l.Problem = api.LoginFailed, &api.Problem{Code: api.CodeLoginMode, Title: "The edge takes another kind of sign-in"}
	}
}

func (d *Daemon) cancelLogin(w http.ResponseWriter, r *http.Request) {
	edit(d, w, logins, func(l api.Login) bool { return l.ID == r.PathValue("id") }, func(l *api.Login) { l.State = api.LoginCancelled })
}

func (d *Daemon) redeem(w http.ResponseWriter, r *http.Request) {
	in, ok := read[api.RedeemInput](w, r)
	if !ok {
		return
	}
	if in.Code == WrongCode {
		fail(w, http.StatusUnprocessableEntity, api.Problem{Code: api.CodeInvalid, Title: "the code is wrong", Field: "code"})
		return
	}
	d.Change(func(s *api.Status) {
		for i := range s.Logins {
			if s.Logins[i].ID == r.PathValue("id") {
				d.finishLocked(s, &s.Logins[i], in.Code == GoodCode)
			}
		}
	})
	get(d, logins, loginID)(w, r)
}

func (d *Daemon) finishLocked(s *api.Status, l *api.Login, good bool) {
	switch {
	case !good:
		l.State = api.LoginRefused
		l.Problem = &api.Problem{Code: api.CodeLoginRefused, Title: "the sign-in was refused", Detail: "too many wrong codes"}
	case l.Purpose == api.PurposeEnrol:
		e := enrolment(d.idLocked("con"))
		l.State, l.Enrolment = api.LoginDone, &e
		s.Enrolments = append(s.Enrolments, e)
	default:
		sess := api.Session{
			ID: d.idLocked("ses"), Edge: l.Edge, Owner: s.User, State: api.SessionActive, StartedAt: Start, ExpiresAt: Start.Add(12 * time.Hour),
			Person: api.Person{Email: "alice@site.com", Name: "Alice"},
		}
		l.State, l.Session = api.LoginDone, &sess
		s.Sessions = append(s.Sessions, sess)
		s.Headline, s.Text = api.HeadlineReady, "Signed in as alice@site.com"
		for i := range s.Forwards {
			s.Forwards[i].State = api.ForwardReady
		}
	}
}
