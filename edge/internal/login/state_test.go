package login

import "testing"

func TestNext(t *testing.T) {
	t.Parallel()
	states := []State{
		StateStarted, StateOpened, StateAtProvider, StateReturned, StateIdentified, StateApproved,
		StateRedeemed, StateRefused, StateExpired, StateAbandoned,
	}
	events := []event{
		eventOpen, eventSend, eventReturn, eventIdentify, eventAccept, eventRedeem,
		eventRefuse, eventExpire, eventAbandon, "nonsense",
	}
	type pair struct {
		s State
		e event
	}
	allowed := map[pair]State{
		{StateStarted, eventOpen}:       StateOpened,
		{StateOpened, eventOpen}:        StateOpened,
		{StateAtProvider, eventOpen}:    StateOpened,
		{StateReturned, eventOpen}:      StateOpened,
		{StateIdentified, eventOpen}:    StateOpened,
		{StateOpened, eventSend}:        StateAtProvider,
		{StateAtProvider, eventReturn}:  StateReturned,
		{StateReturned, eventIdentify}:  StateIdentified,
		{StateIdentified, eventAccept}:  StateApproved,
		{StateApproved, eventRedeem}:    StateRedeemed,
		{StateStarted, eventRefuse}:     StateRefused,
		{StateOpened, eventRefuse}:      StateRefused,
		{StateAtProvider, eventRefuse}:  StateRefused,
		{StateReturned, eventRefuse}:    StateRefused,
		{StateIdentified, eventRefuse}:  StateRefused,
		{StateApproved, eventRefuse}:    StateRefused,
		{StateStarted, eventExpire}:     StateExpired,
		{StateOpened, eventExpire}:      StateExpired,
		{StateAtProvider, eventExpire}:  StateExpired,
		{StateReturned, eventExpire}:    StateExpired,
		{StateIdentified, eventExpire}:  StateExpired,
		{StateApproved, eventExpire}:    StateExpired,
		{StateStarted, eventAbandon}:    StateAbandoned,
		{StateOpened, eventAbandon}:     StateAbandoned,
		{StateAtProvider, eventAbandon}: StateAbandoned,
		{StateReturned, eventAbandon}:   StateAbandoned,
		{StateIdentified, eventAbandon}: StateAbandoned,
		{StateApproved, eventAbandon}:   StateAbandoned,
	}
	for _, s := range states {
		for _, e := range events {
			want, wantOK := allowed[pair{s, e}]
			if !wantOK {
				want = s
			}
			if got, ok := next(s, e); got != want || ok != wantOK {
				t.Errorf("next(%s, %s) = %s, %t; want %s, %t", s, e, got, ok, want, wantOK)
			}
		}
	}
}
