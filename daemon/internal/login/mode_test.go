package login

import (
	"testing"
	"testing/synctest"

	"github.com/sallyport/sallyport/api"
)

// A login whose mode the edge does not take is wanted still: who took it may go on in
// the other mode, and the connections wait for that.
func TestOtherModeIsStillWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeLink{startErr: &api.Problem{Code: api.CodeLoginMode}}
		a := newAttempts(t, f)
		result := make(chan error, 1)
		go func() { result <- a.Wait(t.Context()) }()
		synctest.Wait()
		l, err := a.Start(t.Context(), t.Context(), loopback)
		if err == nil || codeOf(err) != api.CodeLoginMode {
			t.Errorf("%+v, %v", l, err)
		}
		if list := a.List(); list[0].State != api.LoginWanted {
			t.Errorf("after the refusal of the mode: %+v", list[0])
		}
		select {
		case err := <-result:
			t.Errorf("the connection was released: %v", err)
		default:
		}
		f.mu.Lock()
		f.startErr = nil
		f.mu.Unlock()
		if _, err := a.Start(t.Context(), t.Context(), api.LoginInput{Mode: api.ModeCode}); err != nil {
			t.Fatal(err)
		}
		f.setSession(true)
		a.Poke()
		if err := <-result; err != nil {
			t.Errorf("after a login by code: %v", err)
		}
	})
}
