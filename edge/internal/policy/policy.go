// Package policy decides who may open streams to an app. It is pure: no clock,
// no I/O, no state of its own; Apps beside it keeps the apps.
//
// Shapes: an App has an ordered list of Rules; the first that matches a Subject
// decides, and where none does the answer is deny. A Decision names the rule
// that made it. Apps holds every app in memory, and durably in the store.
//
// Errors: Decide has none. It is total: no app, a broken app, an empty subject
// are denied. Check says what is wrong with an app, all of it at once.
//
// Concurrency: Decide and Get may be called from anywhere and take no lock.
//
// Source: design section 8.
package policy

import "time"

// Subject is who asks, as the provider's answer at the login said. A subject
// with neither Subject nor Email is nobody, and matches nothing.
type Subject struct {
	Issuer, Subject string
	Email           string
	// EmailVerified must be true for Email to be allowed anything. A rule that
	// denies matches an address that is not verified, too.
	EmailVerified bool
	Groups        []string
}

// App is a protected hostname and its rules.
type App struct {
	// Hostname is in normal form: see Normalise.
	Hostname string `json:"hostname"`
	// Contact is told to people who are denied.
	Contact string `json:"contact,omitempty"`
	// Rules are tried in order; the first that matches decides.
	Rules []Rule `json:"rules"`
	// ResumeWindowMS is how long a stream waits for another trunk when its own is
	// lost, in milliseconds; 0: not at all; nil: DefaultResumeWindow.
	ResumeWindowMS *int64 `json:"resume_window_ms,omitempty"`

	UpdatedAt time.Time `json:"updated_at"`
	// Version counts the writes of this app, from 1.
	Version int64 `json:"version"`

	program *program // nil until compiled; Decide then compiles for itself
}

// The time that a stream waits for another trunk.
const (
	// DefaultResumeWindow outlasts the restart of an edge, a change of networks and
	// a short sleep.
	DefaultResumeWindow = 5 * time.Minute
	// MaxResumeWindow: until then both daemons keep sockets and bytes for nobody.
	MaxResumeWindow = time.Hour
)

// ResumeWindow is how long a stream of the app waits for another trunk; 0 where
// it does not.
func (a *App) ResumeWindow() time.Duration {
	if a.ResumeWindowMS == nil {
		return DefaultResumeWindow
	}
	return time.Duration(*a.ResumeWindowMS) * time.Millisecond
}

// Action is what a rule says.
type Action string

const (
	Allow Action = "allow"
	Deny  Action = "deny"
)

// Rule says Action to whom one of Selectors matches: "everyone",
// "email:a@site.com", "domain:site.com", "group:staff".
type Rule struct {
	Action    Action   `json:"action"`
	Selectors []string `json:"selectors"`
}

// Decision is the answer to one question.
type Decision struct {
	Allow bool
	// Rule names what decided: "allow domain:site.com (#1)" (the first rule), or
	// one of the names below.
	Rule    string
	Contact string
	// Version is the app's version that was asked, 0 where there is no app.
	Version int64
}

const (
	// DefaultDeny is Decision.Rule where no rule matched, or there is no app.
	DefaultDeny = "default deny"
	// BrokenDeny is Decision.Rule where the app's rules cannot be read.
	BrokenDeny = "default deny (the policy is broken)"
)
