package api

import "fmt"

// HeadlineOf gives the one word, and the line, that sum a status up. It is a
// pure function of what the caller sees; forwards of other owners, which root
// sees too, do not count.
func HeadlineOf(s Status) (Headline, string) {
	f := factsOf(s)
	switch {
	case len(s.Edges) == 0:
		return HeadlineUnset, "No edge chosen yet"
	case f.paused > 0 && f.forwards == 0 && f.tunnels == 0 && !f.loginUnderWay:
		return HeadlinePaused, "Everything is paused"
	case f.needed > 0 && f.waiting == f.needed:
		return HeadlineOffline, "Cannot reach " + f.firstWaiting
	case f.loginWanted:
		return HeadlineSignedOut, "A connection waits for you to sign in"
	case f.loginUnderWay:
		return HeadlineSignedOut, "Signing in: go on in the browser"
	case f.person == "" && f.forwards > 0, f.person == "" && f.tunnels == 0:
		return HeadlineSignedOut, "Signed out"
	case f.connecting > 0:
		return HeadlineConnecting, "Connecting to " + f.firstConnecting
	case f.waiting > 0:
		return HeadlineDegraded, "Cannot reach " + f.firstWaiting
	case f.broken > 0:
		return HeadlineDegraded, fmt.Sprintf("%d of %d need attention: %s", f.broken, f.forwards+f.tunnels, f.firstBroken)
	case f.problem != "":
		return HeadlineDegraded, f.problem
	case f.person != "":
		return HeadlineReady, "Signed in as " + f.person
	}
	return HeadlineReady, fmt.Sprintf("%d published", f.tunnels)
}

// headlineFacts are the counts that a headline is made of.
type headlineFacts struct {
	forwards, tunnels, paused     int // paused ones are in neither of the two
	broken                        int
	firstBroken                   string
	needed, waiting, connecting   int // links
	firstWaiting, firstConnecting string
	person                        string
	loginWanted, loginUnderWay    bool
	problem                       string // of the daemon; what a system lacks is none
}

func factsOf(s Status) headlineFacts {
	var f headlineFacts
	for _, e := range s.Edges {
		f.addLink(e)
	}
	for _, x := range s.Sessions {
		if x.State == SessionActive && f.person == "" {
			f.person = x.Person.Email
			if f.person == "" {
				f.person = x.Person.Name
			}
		}
	}
	for _, p := range s.Problems {
		if f.problem == "" && p.Code != CodeUnsupported {
			f.problem = p.Title
		}
	}
	for _, l := range s.Logins {
		f.loginWanted = f.loginWanted || l.State == LoginWanted
		f.loginUnderWay = f.loginUnderWay || (!l.State.Final() && l.State != LoginWanted)
	}
	for _, x := range s.Forwards {
		if x.Owner == s.User {
			f.add(&f.forwards, x.Paused, x.State == ForwardError, x.Listen+" to "+x.Hostname)
		}
	}
	for _, x := range s.Tunnels {
		bad := x.State == TunnelError || x.State == TunnelRefused || x.State == TunnelOriginDown || x.State == TunnelEnrolNeeded
		f.add(&f.tunnels, x.Paused, bad, "tunnel "+x.Hostname)
	}
	return f
}

func (f *headlineFacts) add(count *int, paused, bad bool, what string) {
	if paused {
		f.paused++
		return
	}
	*count++
	if bad {
		if f.broken == 0 {
			f.firstBroken = what
		}
		f.broken++
	}
}

func (f *headlineFacts) addLink(e Edge) {
	switch e.Link.State {
	case LinkIdle, "":
		return
	case LinkWaiting:
		if f.waiting == 0 {
			f.firstWaiting = e.Name
			if e.Link.Problem != nil {
				f.firstWaiting += ": " + e.Link.Problem.Title
			}
		}
		f.waiting++
	case LinkConnecting:
		if f.connecting == 0 {
			f.firstConnecting = e.Name
		}
		f.connecting++
	}
	f.needed++
}
