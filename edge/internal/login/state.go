package login

// State is how far an attempt has come. The diagram is in the package comment.
type State string

const (
	StateStarted    State = "started"
	StateOpened     State = "opened"
	StateAtProvider State = "at-provider"
	StateReturned   State = "returned"
	StateIdentified State = "identified"
	StateApproved   State = "approved"
	StateRedeemed   State = "redeemed"
	StateRefused    State = "refused"
	StateExpired    State = "expired"
	StateAbandoned  State = "abandoned"
)

// Final says whether an attempt in this state is over.
func (s State) Final() bool {
	switch s {
	case StateRedeemed, StateRefused, StateExpired, StateAbandoned:
		return true
	}
	return false
}

// event is what happens to an attempt.
type event string

const (
	eventOpen     event = "open"     // its browser POSTs the first page
	eventSend     event = "send"     // its browser is sent to the provider
	eventReturn   event = "return"   // the callback came, with the right state
	eventIdentify event = "identify" // the provider's answer holds
	eventAccept   event = "accept"   // the person says yes
	eventRefuse   event = "refuse"   // the person, the provider or a rule says no
	eventRedeem   event = "redeem"   // the daemon shows code and verifier
	eventExpire   event = "expire"   // time is over
	eventAbandon  event = "abandon"  // given up by the daemon, or replaced
)

// next is the state after e, or false where e is not allowed.
func next(s State, e event) (State, bool) {
	if s.Final() {
		return s, false
	}
	to, ok := s, false
	switch e {
	case eventRefuse:
		to, ok = StateRefused, true
	case eventExpire:
		to, ok = StateExpired, true
	case eventAbandon:
		to, ok = StateAbandoned, true
	case eventOpen:
		// Again from a later state: the person went back, or wants to sign in
		// as somebody else. Not after the yes: a code is out then.
		to, ok = StateOpened, s != StateApproved
	case eventSend:
		to, ok = StateAtProvider, s == StateOpened
	case eventReturn:
		to, ok = StateReturned, s == StateAtProvider
	case eventIdentify:
		to, ok = StateIdentified, s == StateReturned
	case eventAccept:
		to, ok = StateApproved, s == StateIdentified
	case eventRedeem:
		to, ok = StateRedeemed, s == StateApproved
	}
	if !ok {
		return s, false
	}
	return to, true
}
