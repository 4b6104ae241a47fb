package sessions

import (
	"reflect"
	"time"

	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/wire"
)

// Session is a person on a device key. A Session is a value: what Get and List
// return is never changed afterwards.
type Session struct {
	ID            string          `json:"id"`
	Key           wire.KeyID      `json:"key"`
	Person        wire.PersonInfo `json:"person"`
	EmailVerified bool            `json:"email_verified,omitempty"`
	// AMR, ACR and AuthTime are how and when the provider authenticated.
	AMR      []string  `json:"amr,omitempty"`
	ACR      string    `json:"acr,omitempty"`
	AuthTime time.Time `json:"auth_time,omitzero"`
	// DeviceName and OSUser are what the daemon said at the login.
	DeviceName string `json:"device_name,omitempty"`
	OSUser     string `json:"os_user,omitempty"`
	// From is the address that the daemon logged in from.
	From      string    `json:"from,omitempty"`
	StartedAt time.Time `json:"started_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// EndedAt and End are set once the session is over.
	EndedAt *time.Time   `json:"ended_at,omitempty"`
	End     *wire.Reason `json:"end,omitempty"`
}

// Or is s where it says of person and machine what now says, else now: many rows can
// share one.
func (s *Session) Or(now Session) *Session {
	if s.ID == now.ID && s.Key == now.Key && s.DeviceName == now.DeviceName && s.OSUser == now.OSUser && reflect.DeepEqual(s.Person, now.Person) {
		return s
	}
	other := now // not &now: that would be made anew for each call
	return &other
}

// NewSession is what Create needs to know.
type NewSession struct {
	Key           wire.KeyID
	Person        wire.PersonInfo
	EmailVerified bool
	AMR           []string
	ACR           string
	AuthTime      time.Time
	DeviceName    string
	OSUser        string
	From          string
	// VouchedAt is when the provider spoke for the person, or shortly before it.
	VouchedAt time.Time
}

// Subject is the person as policies see them.
func (s Session) Subject() policy.Subject {
	return policy.Subject{
		Issuer: s.Person.Issuer, Subject: s.Person.Subject,
		Email: s.Person.Email, EmailVerified: s.EmailVerified,
		Groups: s.Person.Groups,
	}
}

// Info is the session as its daemon sees it.
func Info(s Session) wire.SessionInfo {
	return wire.SessionInfo{ID: s.ID, Person: s.Person, StartedAt: s.StartedAt, ExpiresAt: s.ExpiresAt}
}

func (s Session) live(now time.Time) bool {
	return s.EndedAt == nil && now.Before(s.ExpiresAt)
}
