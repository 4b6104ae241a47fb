package link

import "github.com/sallyport/sallyport/api"

// event is what happens to a link; the package comment draws what follows.
type event string

const (
	eventNeed     event = "need"     // Run began, or something is asked of an idle link
	eventWelcome  event = "welcome"  // the edge said welcome
	eventFailed   event = "failed"   // the attempt came to nothing
	eventLost     event = "lost"     // an online link ended
	eventDue      event = "due"      // the wait is over
	eventWake     event = "wake"     // the network or the clock has changed
	eventUnneeded event = "unneeded" // neither session nor connector, and nothing asked
	eventStop     event = "stop"     // Run ends
)

// next is the state after an event. An event that means nothing in a state
// leaves it.
func next(s api.LinkState, e event) api.LinkState {
	switch {
	case e == eventStop:
		return api.LinkIdle
	case s == api.LinkIdle && (e == eventNeed || e == eventWake):
		return api.LinkConnecting
	case s == api.LinkConnecting && e == eventWelcome:
		return api.LinkOnline
	case s == api.LinkConnecting && e == eventFailed:
		return api.LinkWaiting
	case s == api.LinkOnline && e == eventLost:
		return api.LinkWaiting
	case s == api.LinkOnline && e == eventUnneeded:
		return api.LinkIdle
	case s == api.LinkWaiting && (e == eventDue || e == eventWake):
		return api.LinkConnecting
	}
	return s
}

// step moves the link's state, and the facts that change with it.
func (l *Link) step(e event, change func(f *facts)) {
	var from, to api.LinkState
	l.update(func(f *facts) {
		from, to = f.state, next(f.state, e)
		if from != to {
			f.state, f.since = to, l.now()
		}
		if change != nil {
			change(f)
		}
	})
	if from != to {
		l.log.Debug("link state", "from", string(from), "to", string(to), "event", string(e))
	}
}
