package localapi

import (
	"net/http"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/ipc"
)

func (s *Server) version(w http.ResponseWriter, _ *http.Request, _ ipc.Identity) error {
	return answer(w, http.StatusOK, s.cfg.Version)
}

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request, _ ipc.Identity) error {
	w.Header().Set("Content-Type", typeJSON)
	w.Write(api.OpenAPI())
	return nil
}

// now is the part of the status that the caller may see.
func (s *Server) now(who ipc.Identity) api.Status {
	st, _ := s.agent.Status(who)
	return st
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request, who ipc.Identity) error {
	return answer(w, http.StatusOK, s.now(who))
}

func (s *Server) listEdges(w http.ResponseWriter, _ *http.Request, who ipc.Identity) error {
	return answer(w, http.StatusOK, s.now(who).Edges)
}

func (s *Server) useEdge(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	in, err := read[api.EdgeInput](w, r)
	if err != nil {
		return err
	}
	e, err := s.agent.UseEdge(r.Context(), who, in)
	if err != nil {
		return err
	}
	return created(w, "/edges", e.ID, e)
}

func (s *Server) removeEdge(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	return gone(w, s.agent.RemoveEdge(r.Context(), who, r.PathValue("id")))
}

// gone answers where nothing is left to say.
func gone(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (s *Server) listForwards(w http.ResponseWriter, _ *http.Request, who ipc.Identity) error {
	return answer(w, http.StatusOK, s.now(who).Forwards)
}

func (s *Server) addForward(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	in, err := read[api.ForwardInput](w, r)
	if err != nil {
		return err
	}
	f, err := s.agent.AddForward(r.Context(), who, in)
	if in.Hold && f.ID != "" {
		defer s.agent.ReleaseForward(f.ID)
	}
	if err != nil {
		return err
	}
	if !in.Hold {
		return created(w, "/forwards", f.ID, f)
	}
	locate(w, "/forwards", f.ID)
	follow(s, w, r, who, f, func(st api.Status) (api.Forward, bool) {
		return find(st.Forwards, func(x api.Forward) bool { return x.ID == f.ID })
	}, nil)
	return nil
}

func (s *Server) getForward(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	f, err := s.agent.Forward(who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, f)
}

func (s *Server) editForward(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	patch, err := read[api.ForwardPatch](w, r)
	if err != nil {
		return err
	}
	f, err := s.agent.EditForward(r.Context(), who, r.PathValue("id"), patch)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, f)
}

func (s *Server) removeForward(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	return gone(w, s.agent.RemoveForward(r.Context(), who, r.PathValue("id")))
}

func (s *Server) listTunnels(w http.ResponseWriter, _ *http.Request, who ipc.Identity) error {
	return answer(w, http.StatusOK, s.now(who).Tunnels)
}

func (s *Server) addTunnel(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	in, err := read[api.TunnelInput](w, r)
	if err != nil {
		return err
	}
	t, err := s.agent.AddTunnel(r.Context(), who, in)
	if in.Hold && t.ID != "" {
		defer s.agent.ReleaseTunnel(t.ID)
	}
	if err != nil {
		return err
	}
	if !in.Hold {
		return created(w, "/tunnels", t.ID, t)
	}
	locate(w, "/tunnels", t.ID)
	follow(s, w, r, who, t, func(st api.Status) (api.Tunnel, bool) {
		return find(st.Tunnels, func(x api.Tunnel) bool { return x.ID == t.ID })
	}, nil)
	return nil
}

func (s *Server) getTunnel(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	t, ok := find(s.now(who).Tunnels, func(x api.Tunnel) bool { return x.ID == r.PathValue("id") })
	if !ok {
		return &api.Problem{Code: api.CodeNotFound, Title: "No such tunnel"}
	}
	return answer(w, http.StatusOK, t)
}

func (s *Server) editTunnel(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	patch, err := read[api.TunnelPatch](w, r)
	if err != nil {
		return err
	}
	t, err := s.agent.EditTunnel(r.Context(), who, r.PathValue("id"), patch)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, t)
}

func (s *Server) removeTunnel(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	return gone(w, s.agent.RemoveTunnel(r.Context(), who, r.PathValue("id")))
}

func (s *Server) listEnrolments(w http.ResponseWriter, _ *http.Request, who ipc.Identity) error {
	return answer(w, http.StatusOK, s.now(who).Enrolments)
}

func (s *Server) enrol(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	in, err := read[api.EnrolmentInput](w, r)
	if err != nil {
		return err
	}
	e, err := s.agent.Enrol(r.Context(), who, in)
	if err != nil {
		return err
	}
	w.Header().Set("Location", api.Prefix+"/enrolments")
	return answer(w, http.StatusCreated, e)
}

func (s *Server) listLogins(w http.ResponseWriter, _ *http.Request, who ipc.Identity) error {
	return answer(w, http.StatusOK, s.now(who).Logins)
}

func (s *Server) getLogin(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	l, err := s.agent.Login(who, r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, l)
}

func (s *Server) cancelLogin(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	return gone(w, s.agent.CancelLogin(r.Context(), who, r.PathValue("id")))
}

func (s *Server) redeemLogin(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	in, err := read[api.RedeemInput](w, r)
	if err != nil {
		return err
	}
	l, err := s.agent.Redeem(r.Context(), who, r.PathValue("id"), in.Code)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, l)
}

func (s *Server) listSessions(w http.ResponseWriter, _ *http.Request, who ipc.Identity) error {
	return answer(w, http.StatusOK, s.now(who).Sessions)
}

func (s *Server) endSession(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	return gone(w, s.agent.EndSession(r.Context(), who, r.PathValue("id")))
}

func (s *Server) listApps(w http.ResponseWriter, r *http.Request, who ipc.Identity) error {
	apps, err := s.agent.Apps(r.Context(), who, r.URL.Query().Get("edge"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, apps)
}

func find[T any](all []T, is func(T) bool) (found T, ok bool) {
	for _, v := range all {
		if is(v) {
			return v, true
		}
	}
	return found, false
}
