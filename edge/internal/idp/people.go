package idp

import (
	"context"
	"errors"
	"time"
)

// AdminGroup is the group of the first person.
const AdminGroup = "admins"

// MinPassword is the least length of a password, in characters.
const MinPassword = 12

var (
	// ErrSetup: the set-up link is unknown, used or too old.
	ErrSetup = errors.New("set-up link is not valid")
	// ErrEmail: not an address that a person can have.
	ErrEmail = errors.New("not a valid email address")
	// ErrPassword: the password is too short or too long.
	ErrPassword = errors.New("password needs 12 to 256 characters")
	// ErrGroup: not a name that a group can have.
	ErrGroup = errors.New("not a valid group name")
)

// Person is somebody who can sign in at the embedded provider.
type Person struct {
	// Subject is the stable id that tokens name.
	Subject   string    `json:"subject"`
	Email     string    `json:"email"`
	Name      string    `json:"name,omitempty"`
	Groups    []string  `json:"groups,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// NewPerson is what Add needs to know. An empty Password is generated.
type NewPerson struct {
	Email    string
	Name     string
	Password string
	Groups   []string
}

// People are the people of the embedded provider, durable in the store.
type People struct{}

// Add makes a person (store.ErrExists for a taken email) and returns the
// password, generated or given.
func (p *People) Add(ctx context.Context, n NewPerson) (Person, string, error) { panic("soon") }

// List returns everybody, ordered by email.
func (p *People) List(ctx context.Context) ([]Person, error) { panic("soon") }

// Get returns one person by email, or store.ErrNotFound.
func (p *People) Get(ctx context.Context, email string) (Person, error) { panic("soon") }

// Remove deletes a person (store.ErrNotFound) and returns when every hook of
// OnRemoved has.
func (p *People) Remove(ctx context.Context, email string) error { panic("soon") }

// SetPassword changes a password; an empty one is generated. It returns it.
func (p *People) SetPassword(ctx context.Context, email, password string) (string, error) {
	panic("soon")
}

// SetGroups replaces a person's groups. Tokens name them from the next login on.
func (p *People) SetGroups(ctx context.Context, email string, groups []string) (Person, error) {
	panic("soon")
}

// OnRemoved adds a hook that Remove waits for: the sessions of the person
// (issuer, subject) end. Call it before the first Remove.
func (p *People) OnRemoved(hook func(ctx context.Context, issuer, subject string)) { panic("soon") }
