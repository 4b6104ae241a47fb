package localapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/ipc"
)

// lines sends one JSON value a line, each flushed, each with a time to be read in.
type lines struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func newLines(w http.ResponseWriter, status int) lines {
	l := lines{w: w, rc: http.NewResponseController(w)}
	w.Header().Set("Content-Type", typeLines)
	l.rc.SetReadDeadline(time.Time{}) // the caller has nothing more to say
	w.WriteHeader(status)
	return l
}

// send is false where the caller does not read any more.
func (l lines) send(v any) bool {
	b, err := json.Marshal(v)
	if err != nil {
		return false
	}
	l.rc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := l.w.Write(append(b, '\n')); err != nil {
		return false
	}
	return l.rc.Flush() == nil
}

// events sends the caller's status at once, and whenever it has changed. While
// one line is being read others are not made, so that a slow reader gets the
// newest next.
func (s *Server) events(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	out := newLines(w, http.StatusOK)
	heartbeat := time.NewTicker(s.cfg.Heartbeat)
	defer heartbeat.Stop()
	var sent []byte
	for {
		st, changed := s.agent.Status(who)
		if mark := markOf(st); !bytes.Equal(mark, sent) {
			if !out.send(api.Event{Seq: s.seq.Add(1), Kind: api.EventStatus, Status: &st}) {
				return nil
			}
			sent = mark
			heartbeat.Reset(s.cfg.Heartbeat)
		}
		select {
		case <-changed:
		case <-heartbeat.C:
			if !out.send(api.Event{Seq: s.seq.Add(1), Kind: api.EventHeartbeat}) {
				return nil
			}
		case <-r.Context().Done():
			return nil
		}
	}
}

// markOf is equal for statuses that say the same.
func markOf(st api.Status) []byte {
	st.At = time.Time{}
	b, err := json.Marshal(st)
	if err != nil {
		return nil
	}
	return b
}

// follow answers 201 with a line at once and one per change of a thing, until
// the caller goes, the thing is gone, or it is final (nil: never).
func follow[T any](s *Server, w http.ResponseWriter, r *http.Request, who ipc.Identity, first T, look func(api.Status) (T, bool), final func(T) bool) {
	out := newLines(w, http.StatusCreated)
	v, ok := first, true
	var sent []byte
	for {
		st, changed := s.agent.Status(who)
		if sent != nil {
			v, ok = look(st)
		}
		if !ok {
			return
		}
		if mark, err := json.Marshal(v); err != nil || !bytes.Equal(mark, sent) {
			if !out.send(v) {
				return
			}
			sent = mark
			continue // what is in the status may be newer than the first
		}
		if final != nil && final(v) {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// startLogin begins an attempt, or joins one. With hold the attempt ends with
// the request.
func (s *Server) startLogin(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	in, err := read[api.LoginInput](w, r)
	if err != nil {
		return err
	}
	taker := context.Background() // nobody watches: the attempt's own time ends it
	if in.Hold {
		taker = r.Context()
	}
	l, err := s.agent.StartLogin(r.Context(), taker, who, in)
	if err != nil {
		return err
	}
	if !in.Hold {
		return created(w, "/logins", l.ID, l)
	}
	locate(w, "/logins", l.ID)
	follow(s, w, r, who, l, func(api.Status) (api.Login, bool) {
		l, err := s.agent.Login(who, l.ID)
		return l, err == nil
	}, func(l api.Login) bool { return l.State.Final() })
	return nil
}
