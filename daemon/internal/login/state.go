package login

import "github.com/sallyport/sallyport/api"

// event is what happens to an attempt; the package comment draws what follows.
type event string

const (
	eventTake    event = "take"    // somebody asked for the login
	eventAnswer  event = "answer"  // the edge gave the URL
	eventCode    event = "code"    // the code came back
	eventWrong   event = "wrong"   // the edge did not take the code; another may come
	eventDone    event = "done"    // a session, or an enrolment, is there
	eventRefuse  event = "refuse"  // by the person, the provider or the edge
	eventExpire  event = "expire"  // nobody acted in time
	eventCancel  event = "cancel"  // by a person
	eventReplace event = "replace" // the taker went away, or another asked otherwise
	eventFail    event = "fail"    // the edge cannot be asked
)

// next is the state after an event. A final state stays; an event that means
// nothing in a state leaves it.
func next(s api.LoginState, e event) api.LoginState {
	if s.Final() {
		return s
	}
	switch {
	case e == eventDone:
		return api.LoginDone // a session may come by another way, too
	case e == eventRefuse:
		return api.LoginRefused
	case e == eventExpire:
		return api.LoginExpired
	case e == eventCancel, e == eventReplace:
		return api.LoginCancelled
	case e == eventFail:
		return api.LoginFailed
	case s == api.LoginWanted && e == eventTake:
		return api.LoginStarting
	case s == api.LoginStarting && e == eventAnswer:
		return api.LoginBrowser
	case s == api.LoginBrowser && e == eventCode:
		return api.LoginRedeeming
	case s == api.LoginRedeeming && e == eventWrong:
		return api.LoginBrowser
	}
	return s
}
