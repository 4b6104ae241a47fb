package view

import (
	"time"

	"github.com/sallyport/sallyport/api"
)

// ForwardChange is the lines that tell what changed of a held forward; before
// is nil for the first.
func ForwardChange(before *api.Forward, now *api.Forward) []string {
	var lines []string
	name := now.Listen + " -> " + now.Hostname
	if before == nil || before.State != now.State || !same(before.Problem, now.Problem) {
		lines = append(lines, stateLines(name, string(now.State), now.Problem)...)
		if now.State == api.ForwardLoginNeeded && now.Problem == nil {
			lines = append(lines, "hint: connect to "+now.Listen+", or run `sallyport login`")
		}
		if now.OwnerCheck == "unsupported" && before == nil {
			lines = append(lines, name+": note: every user of this machine can connect to it")
		}
	}
	if before != nil {
		lines = append(lines, resumed(name, before.Resuming, now.Resuming, now.ResumedConns-before.ResumedConns)...)
	}
	if now.LastError != nil && (before == nil || !same(before.LastError, now.LastError)) && !same(now.Problem, now.LastError) {
		lines = append(lines, problem(name+": connection failed", now.LastError)...)
	}
	return lines
}

// TunnelChange is the same for a held tunnel.
func TunnelChange(before *api.Tunnel, now *api.Tunnel) []string {
	var lines []string
	name := now.Hostname + " -> " + now.Origin
	if before == nil || before.State != now.State || !same(before.Problem, now.Problem) {
		lines = stateLines(name, string(now.State), now.Problem)
	}
	if before != nil {
		lines = append(lines, resumed(name, before.Resuming, now.Resuming, now.ResumedConns-before.ResumedConns)...)
	}
	return lines
}

// resumed tells that connections begin to wait for another way, and that the last of
// them do no more; more is how many have gone on meanwhile.
func resumed(name string, before, now *api.Resuming, more uint64) []string {
	var lines []string
	switch {
	case before == nil && now != nil:
		lines = resuming(now, time.Now())
	case now == nil && more > 0:
		lines = []string{count(int(more), "connection") + " went on with another way"}
	case before != nil && now == nil:
		lines = []string{"no connection waits any more"}
	}
	for i := range lines {
		lines[i] = name + ": " + lines[i]
	}
	return lines
}

// SessionChange is the lines that tell that access ended, with the reason: also of a
// session that began since before, as not each status is seen.
func SessionChange(before, now []api.Session) []string {
	was := map[string]api.SessionState{}
	for _, s := range before {
		was[s.ID] = s.State
	}
	var lines []string
	for _, s := range now {
		if state, known := was[s.ID]; s.State == api.SessionActive || known && state != api.SessionActive {
			continue
		}
		p := s.Problem
		if p == nil {
			p = &api.Problem{Title: "The session is over", Hint: "sallyport login"}
		}
		lines = append(lines, problem("access as "+s.Person.Email+" ended", p)...)
	}
	return lines
}

func stateLines(name, state string, p *api.Problem) []string {
	if p == nil {
		return []string{name + ": " + state}
	}
	return problem(name+": "+state, p)
}

// same says whether two problems read the same.
func same(a, b *api.Problem) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Code == b.Code && a.Error() == b.Error() && a.Hint == b.Hint
}
