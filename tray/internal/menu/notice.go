package menu

import (
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
)

// Notice is something that the person is told outside the menu.
type Notice struct {
	// Key names what it is about: a newer notice replaces an older one.
	Key         string
	Title, Text string
	// Button is the word for Action; "" for none.
	Button string
	Action Action
}

// Notices are what a change of the status has to tell: access that ended, and
// forwards whose other end went away.
func Notices(before, after api.Status) []Notice {
	var out []Notice
	for _, s := range after.Sessions {
		if s.State != api.SessionActive && wasActive(before.Sessions, s.ID) {
			out = append(out, ended(s))
		}
	}
	old := map[string]*api.Problem{}
	for _, f := range before.Forwards {
		old[f.ID] = f.LastError
	}
	for _, f := range Own(after) {
		was, known := old[f.ID]
		if known && worthTelling(f.LastError) && (was == nil || was.Code != f.LastError.Code) {
			out = append(out, Notice{
				Key: "forward " + f.ID, Title: clean(f.Hostname + ": " + f.LastError.Title), Text: clean(details(f.LastError)),
			})
		}
	}
	return out
}

func wasActive(sessions []api.Session, id string) bool {
	return slices.ContainsFunc(sessions, func(s api.Session) bool { return s.ID == id && s.State == api.SessionActive })
}

// ended says who ended a session, why, and what comes next.
func ended(s api.Session) Notice {
	n := Notice{Key: "session " + s.Edge, Title: "Your session at " + s.Edge + " has ended", Button: "Sign in", Action: Action{Kind: SignIn}}
	if s.State == api.SessionExpired {
		n.Title, n.Text = "Your session at "+s.Edge+" has expired", "Sign in to go on."
	} else if s.Problem != nil {
		n.Text = clean(sentenceOf(s.Problem.Title, details(s.Problem)))
	}
	return n
}

// worthTelling: the other end is gone, or the person may not go there any more.
// What ails the service behind it stands in the menu.
func worthTelling(p *api.Problem) bool {
	return p != nil && slices.Contains([]api.Code{api.CodeNoConnector, api.CodeConnectorLost, api.CodeDenied, api.CodeRevoked}, p.Code)
}

func details(p *api.Problem) string { return sentenceOf(p.Detail, p.Hint) }

func sentenceOf(parts ...string) string {
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	for i, p := range parts {
		if !strings.HasSuffix(p, ".") && i < len(parts)-1 {
			parts[i] = p + "."
		}
	}
	return strings.Join(parts, " ")
}

// warnings are how long before the end of a session the person is warned, as
// the edge does it.
var warnings = []time.Duration{15 * time.Minute, 2 * time.Minute}

// Expiring gives the warnings that became due after last and up to now, one a
// session, and when the next one is due; zero for never.
func Expiring(st api.Status, last, now time.Time) (due []Notice, next time.Time) {
	for _, s := range st.Sessions {
		if s.State != api.SessionActive {
			continue
		}
		warn := false
		for _, w := range warnings {
			at := s.ExpiresAt.Add(-w)
			switch {
			case 2*w > s.ExpiresAt.Sub(s.StartedAt): // a session that is short by itself
			case at.After(now):
				if next.IsZero() || at.Before(next) {
					next = at
				}
			case at.After(last):
				warn = true
			}
		}
		if warn && now.Before(s.ExpiresAt) {
			due = append(due, Notice{
				Key: "session " + s.Edge, Title: "Your session ends at " + clock(s.ExpiresAt, now),
				Text:   "Sign in again to go on at " + s.Edge + ". What is open stays open.",
				Button: "Sign in", Action: Action{Kind: SignIn},
			})
		}
	}
	return due, next
}
