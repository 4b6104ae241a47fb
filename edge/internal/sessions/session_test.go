package sessions

import (
	"testing"

	"github.com/sallyport/sallyport/wire"
)

// Rows share a session as long as it says the same of person and machine.
func TestOr(t *testing.T) {
	t.Parallel()
	s := Session{ID: "ses_1", Key: wire.KeyID{1}, DeviceName: "laptop", OSUser: "alice", Person: wire.PersonInfo{Email: "alice@site.com", Groups: []string{"dba"}}}
	now := s
	now.Person.Groups = []string{"dba"}
	now.From = "192.0.2.7"
	if s.Or(now) != &s {
		t.Error("the same person is kept twice")
	}
	for name, change := range map[string]func(*Session){
		"another session": func(s *Session) { s.ID = "ses_2" },
		"another machine": func(s *Session) { s.DeviceName = "desk" },
		"another user":    func(s *Session) { s.OSUser = "bob" },
		"another key":     func(s *Session) { s.Key = wire.KeyID{2} },
		"other groups":    func(s *Session) { s.Person.Groups = nil },
	} {
		later := now
		change(&later)
		if got := s.Or(later); got == &s || got.Person.Email != "alice@site.com" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
