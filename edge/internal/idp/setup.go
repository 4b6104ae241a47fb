package idp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"sync"
	"time"
)

// setupLife is how long a set-up link is good; asking again makes another.
const setupLife = 24 * time.Hour

// setup is the one-time link. It is in memory only: each process makes its own.
type setup struct {
	mu    sync.Mutex
	token string    // guarded by mu; "" where there is none
	until time.Time // guarded by mu
}

// SetupLink is the one-time link by which the first administrator is made; ""
// once there is a person. Asked again it gives the same link, until its 24
// hours are over.
func (p *Provider) SetupLink() string {
	if p.people.any.Load() {
		return ""
	}
	p.setup.mu.Lock()
	defer p.setup.mu.Unlock()
	if now := p.cfg.Clock(); p.setup.token == "" || !now.Before(p.setup.until) {
		p.setup.token, p.setup.until = rand.Text(), now.Add(setupLife)
	}
	return p.cfg.WebURL + "/setup?token=" + p.setup.token
}

// CheckSetup says whether a set-up token is good: ErrSetup otherwise.
func (p *Provider) CheckSetup(token string) error {
	p.setup.mu.Lock()
	defer p.setup.mu.Unlock()
	return p.checkSetupLocked(token)
}

func (p *Provider) checkSetupLocked(token string) error {
	good := p.setup.token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(p.setup.token)) == 1
	if !good || !p.cfg.Clock().Before(p.setup.until) || p.people.any.Load() {
		return ErrSetup
	}
	return nil
}

// Setup makes the first person, in the group admins, and voids the link. A
// fault in what the person typed leaves the link as it is.
func (p *Provider) Setup(ctx context.Context, token string, n NewPerson) (Person, error) {
	p.setup.mu.Lock() // over the write: the link makes one person, once
	defer p.setup.mu.Unlock()
	if err := p.checkSetupLocked(token); err != nil {
		return Person{}, err
	}
	if n.Password == "" {
		return Person{}, ErrPassword
	}
	n.Groups = []string{AdminGroup}
	person, _, err := p.people.Add(ctx, n)
	if err != nil {
		return Person{}, err
	}
	p.setup.token = ""
	p.cfg.Log.Info("first administrator was made", "person", person.Email)
	return person, nil
}

// SetupPerson is Setup in plain words, for the page.
func (p *Provider) SetupPerson(ctx context.Context, token, email, name, password string) error {
	_, err := p.Setup(ctx, token, NewPerson{Email: email, Name: name, Password: password})
	return err
}
