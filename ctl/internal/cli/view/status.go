package view

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
)

// Status writes the headline, and then what there is of each kind.
func Status(w io.Writer, s *api.Status, now time.Time) {
	fmt.Fprintf(w, "%s: %s\n", Clean(string(s.Headline)), Clean(s.Text))
	if next := nextStep(s); next != "" {
		fmt.Fprintf(w, "hint: %s\n", next)
	}
	for i := range s.Problems {
		for _, line := range problem("problem", &s.Problems[i]) {
			fmt.Fprintln(w, Clean(line))
		}
	}
	for _, part := range []func(io.Writer){
		func(w io.Writer) { Edges(w, s.Edges, now) },
		func(w io.Writer) { Sessions(w, s.Sessions, now) },
		func(w io.Writer) { Logins(w, telling(s), now) },
		func(w io.Writer) { Forwards(w, s.Forwards, now) },
		func(w io.Writer) { Tunnels(w, s.Tunnels, now) },
		func(w io.Writer) { Enrolments(w, s.Enrolments, now) },
	} {
		var b strings.Builder
		if part(&b); b.Len() > 0 {
			fmt.Fprintf(w, "\n%s", b.String())
		}
	}
}

// nextStep is what a person would type where nothing works yet; "" where the
// rows below say it.
func nextStep(s *api.Status) string {
	switch {
	case s.Headline == api.HeadlineUnset:
		return "sallyport edge use NAME[:PORT]"
	case s.Headline == api.HeadlineSignedOut && !anyLive(s.Logins) && len(s.Forwards) == 0:
		return "sallyport login, or on a host: sallyport tunnel login"
	}
	return ""
}

func anyLive(logins []api.Login) bool {
	return slices.ContainsFunc(logins, func(l api.Login) bool { return !l.State.Final() })
}

// Edges writes the edges and the state of their links. Of the person's own, the
// first is in use; without one it is the machine's.
func Edges(w io.Writer, edges []api.Edge, now time.Time) {
	t := newTable("EDGE", "LINK", "SINCE", "USED BY", "ID")
	used := slices.IndexFunc(edges, func(e api.Edge) bool { return !e.Machine })
	for i, e := range edges {
		use := join(yes(i == used || used < 0, "you"), yes(e.Machine, "the machine"))
		t.row(e.Name, string(e.Link.State), Ago(e.Link.Since, now), use, e.ID)
		if e.Address != "" {
			t.note("dialled at " + e.Address)
		}
		if e.Proxy != "" {
			t.note("proxy " + e.Proxy)
		}
		if e.HostKeys == api.HostKeysStrict {
			t.note("hosts with another key than the known ones are refused")
		}
		if e.Link.Form == "websocket" {
			t.note("in a WebSocket: this network does not let the direct form through")
		}
		t.note(problem("problem", e.Link.Problem)...)
		if e.Link.State == api.LinkWaiting && e.Link.RetryAt != nil {
			t.note("tries again " + Until(*e.Link.RetryAt, now))
		}
	}
	t.write(w)
}

// Sessions writes who is signed in where.
func Sessions(w io.Writer, sessions []api.Session, now time.Time) {
	t := newTable("SIGNED IN AS", "EDGE", "STATE", "EXPIRES", "ID")
	for _, s := range sessions {
		expires := "-"
		if s.State == api.SessionActive {
			expires = Until(s.ExpiresAt, now)
		}
		t.row(s.Person.Email, s.Edge, string(s.State), expires, s.ID)
		t.note(problem("problem", s.Problem)...)
	}
	t.write(w)
}

// telling are the attempts that say why nobody is signed in: those under way, and
// the last one at an edge where it failed.
func telling(s *api.Status) []api.Login {
	var show []api.Login
	settled := map[string]bool{}
	for _, session := range s.Sessions {
		settled[session.Edge] = settled[session.Edge] || session.State == api.SessionActive
	}
	for _, l := range s.Logins { // of one edge the newest is first
		if !l.State.Final() || (l.Problem != nil && !settled[l.Edge]) {
			show = append(show, l)
		}
		settled[l.Edge] = true
	}
	return show
}

// Logins writes attempts to sign in.
func Logins(w io.Writer, logins []api.Login, now time.Time) {
	t := newTable("SIGN-IN AT", "STATE", "WAITING", "EXPIRES", "ID")
	for _, l := range logins {
		expires := "-"
		if l.ExpiresAt != nil && !l.State.Final() {
			expires = Until(*l.ExpiresAt, now)
		}
		t.row(l.Edge, string(l.State), count(l.Waiting, "connection"), expires, l.ID)
		t.note(problem("problem", l.Problem)...)
		switch {
		case l.State == api.LoginWanted:
			t.note("hint: sallyport login")
		case l.URL != "":
			t.note("open: "+l.URL, "compare code: "+l.CompareCode)
		}
	}
	t.write(w)
}

// Forwards writes the local entries.
func Forwards(w io.Writer, forwards []api.Forward, now time.Time) {
	t := newTable("FORWARD TO", "LISTEN", "STATE", "SINCE", "CONNECTIONS", "TO ORIGIN", "TO LOCAL", "NOTES", "ID")
	for _, f := range forwards {
		conns := strconv.Itoa(f.Connections)
		if f.Waiting > 0 {
			conns += fmt.Sprintf(" (%d waiting)", f.Waiting)
		}
		unchecked := yes(f.OwnerCheck == "unsupported", "open to every user of this machine")
		t.row(f.Hostname, f.Listen, string(f.State), Ago(f.Since, now), conns, Bytes(f.BytesToOrigin), Bytes(f.BytesToLocal),
			join(yes(f.HTTP, "http"), yes(f.Hold, "foreground"), unchecked, shared(f)), f.ID)
		t.note(problem("problem", f.Problem)...)
		t.note(resuming(f.Resuming, now)...)
		if f.LastError != nil && (f.Problem == nil || f.Problem.Error() != f.LastError.Error()) {
			t.note(problem("last connection", f.LastError)...)
		}
		if f.State == api.ForwardLoginNeeded && f.Problem == nil {
			t.note("hint: sallyport login")
		}
	}
	t.write(w)
}

// Tunnels writes the published apps.
func Tunnels(w io.Writer, tunnels []api.Tunnel, now time.Time) {
	t := newTable("TUNNEL", "ORIGIN", "STATE", "SINCE", "CONNECTIONS", "TO ORIGIN", "FROM ORIGIN", "NOTES", "ID")
	for _, u := range tunnels {
		t.row(u.Hostname, u.Origin, string(u.State), Ago(u.Since, now), strconv.Itoa(u.Connections), Bytes(u.BytesToOrigin), Bytes(u.BytesFromOrigin),
			join(yes(u.Hold, "foreground")), u.ID)
		t.note(problem("problem", u.Problem)...)
		t.note(resuming(u.Resuming, now)...)
	}
	t.write(w)
}

// Enrolments writes what this machine is as a host.
func Enrolments(w io.Writer, enrolments []api.Enrolment, now time.Time) {
	t := newTable("HOST AT", "SITE", "MAY PUBLISH", "GROUP", "SINCE", "CONNECTOR")
	for _, e := range enrolments {
		t.row(e.Edge, e.Site, strings.Join(e.Hostnames, " "), e.Group, Ago(e.Since, now), e.ConnectorID)
		t.note(problem("problem", e.Problem)...)
	}
	t.write(w)
}

// Apps writes the hostnames that may be reached, and where they are.
func Apps(w io.Writer, apps []api.App, forwards []api.Forward) {
	t := newTable("APP", "STATE", "LOCAL")
	for _, a := range apps {
		state := "offline"
		if a.Online {
			state = "online"
		}
		var local []string
		for _, f := range forwards {
			if f.Hostname == a.Hostname {
				local = append(local, f.Listen)
			}
		}
		t.row(a.Hostname, state, join(local...))
	}
	t.write(w)
}

// resuming says how many connections wait for another way, and since when; nothing
// for nil.
func resuming(r *api.Resuming, now time.Time) []string {
	if r == nil {
		return nil
	}
	verb := " wait"
	if r.Connections == 1 {
		verb = " waits"
	}
	return []string{count(r.Connections, "connection") + verb + " for another way since " + r.Since.In(now.Location()).Format("15:04")}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// shared says who else may use a forward.
func shared(f api.Forward) string {
	switch group, named := strings.CutPrefix(f.Share, api.ShareGroup); {
	case f.Share == api.ShareEveryone:
		return "shared with everyone on this machine"
	case named:
		return "shared with the group " + group
	}
	return ""
}
