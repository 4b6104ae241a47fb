package clienttest

import (
	"net/http"

	"github.com/sallyport/sallyport/api"
)

func (d *Daemon) useEdge(w http.ResponseWriter, r *http.Request) {
	in, ok := read[api.EdgeInput](w, r)
	if !ok {
		return
	}
	var e api.Edge
	d.Change(func(s *api.Status) {
		e = api.Edge{ID: d.idLocked("edg"), Name: in.Name, Address: in.Address, CAPEM: in.CAPEM, Proxy: in.Proxy, HostKeys: in.HostKeys, Machine: in.Machine, Link: api.Link{State: api.LinkIdle, Since: Start}}
		s.Edges = append(s.Edges, e)
	})
	answer(w, http.StatusCreated, e)
}

func (d *Daemon) addForward(w http.ResponseWriter, r *http.Request) {
	in, ok := read[api.ForwardInput](w, r)
	if !ok {
		return
	}
	if in.Hostname == "" {
		fail(w, http.StatusUnprocessableEntity, api.Problem{Code: api.CodeInvalid, Title: "a hostname is needed", Field: "hostname"})
		return
	}
	var f api.Forward
	d.Change(func(s *api.Status) {
		f = api.Forward{
			ID: d.idLocked("fwd"), Hostname: in.Hostname, Listen: in.Listen, Edge: "edge.site.com", HTTP: in.HTTP, Paused: in.Paused, Hold: in.Hold,
			Owner: s.User, State: api.ForwardLoginNeeded, Since: Start, OwnerCheck: "enforced",
		}
		if in.Edge != "" {
			f.Edge = in.Edge
		}
		if len(s.Sessions) > 0 {
			f.State = api.ForwardReady
		}
		s.Forwards = append(s.Forwards, f)
	})
	created(d, w, r, in.Hold, f, forwards, forwardID)
}

func (d *Daemon) editForward(w http.ResponseWriter, r *http.Request) {
	p, ok := read[api.ForwardPatch](w, r)
	if !ok {
		return
	}
	edit(d, w, forwards, func(f api.Forward) bool { return f.ID == r.PathValue("id") }, func(f *api.Forward) {
		set(&f.Hostname, p.Hostname)
		set(&f.Listen, p.Listen)
		set(&f.HTTP, p.HTTP)
		set(&f.Paused, p.Paused)
		if f.Paused {
			f.State = api.ForwardPaused
		} else {
			f.State = api.ForwardReady
		}
	})
}

// SlowHostname is of a tunnel of which the edge says nothing yet.
const SlowHostname = "slow.site.com"

func (d *Daemon) addTunnel(w http.ResponseWriter, r *http.Request) {
	in, ok := read[api.TunnelInput](w, r)
	if !ok {
		return
	}
	var t api.Tunnel
	d.Change(func(s *api.Status) {
		t = api.Tunnel{
			ID: d.idLocked("tun"), Hostname: in.Hostname, Origin: in.Origin, Edge: "edge.site.com", Paused: in.Paused, Hold: in.Hold,
			State: api.TunnelPublished, Since: Start,
		}
		if len(s.Enrolments) == 0 {
			t.State = api.TunnelEnrolNeeded
			t.Problem = &api.Problem{Code: api.CodeNotEnrolled, Title: "this machine is not enrolled as a host", Hint: "sallyport tunnel login"}
		}
		if in.Hostname == SlowHostname {
			t.State, t.Problem = api.TunnelConnecting, nil
		}
		s.Tunnels = append(s.Tunnels, t)
	})
	created(d, w, r, in.Hold, t, tunnels, tunnelID)
}

func (d *Daemon) editTunnel(w http.ResponseWriter, r *http.Request) {
	p, ok := read[api.TunnelPatch](w, r)
	if !ok {
		return
	}
	edit(d, w, tunnels, func(t api.Tunnel) bool { return t.ID == r.PathValue("id") }, func(t *api.Tunnel) {
		set(&t.Origin, p.Origin)
		set(&t.Paused, p.Paused)
		if t.Paused {
			t.State = api.TunnelPaused
		} else {
			t.State = api.TunnelPublished
		}
	})
}

func (d *Daemon) enrol(w http.ResponseWriter, r *http.Request) {
	in, ok := read[api.EnrolmentInput](w, r)
	if !ok {
		return
	}
	if in.Token == "" {
		fail(w, http.StatusUnprocessableEntity, api.Problem{Code: api.CodeInvalid, Title: "a join token is needed", Field: "token"})
		return
	}
	var e api.Enrolment
	d.Change(func(s *api.Status) {
		e = enrolment(d.idLocked("con"))
		s.Enrolments = append(s.Enrolments, e)
	})
	answer(w, http.StatusCreated, e)
}

func enrolment(id string) api.Enrolment {
	return api.Enrolment{Edge: "edge.site.com", ConnectorID: id, Group: "grp_1", Site: "site.com", Hostnames: []string{"*.site.com"}, Since: Start}
}

func set[T any](dst *T, v *T) {
	if v != nil {
		*dst = *v
	}
}
