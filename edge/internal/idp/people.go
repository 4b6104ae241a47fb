package idp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/sallyport/sallyport/edge/internal/store"
)

// AdminGroup is the group of the first person.
const AdminGroup = "admins"

const (
	// MinPassword is the least length of a password, in characters.
	MinPassword = 12
	maxPassword = 256
	maxName     = 100
	maxEmail    = 254
	maxGroups   = 64
)

var (
	// ErrSetup: the set-up link is unknown, used or too old.
	ErrSetup = errors.New("the set-up link is not valid")
	// ErrEmail: not an address that a person can have.
	ErrEmail = errors.New("that is not a valid email address")
	// ErrName: not a name that can be shown.
	ErrName = errors.New("a name has at most 100 characters, on one line")
	// ErrPassword: the password is too short or too long.
	ErrPassword = errors.New("a password has 12 to 256 characters")
	// ErrGroup: not a name that a group can have.
	ErrGroup = errors.New("a group's name has 1 to 64 letters, digits, dots, dashes or underscores")
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

// personRow is a person at rest.
type personRow struct {
	Person
	PasswordHash string `json:"password_hash"` // see password.go
}

// People are the people of the embedded provider, durable in the store.
type People struct {
	rows   *store.Table[personRow]
	issuer string
	log    *slog.Logger
	now    func() time.Time

	any atomic.Bool // somebody is there; kept for SetupLink

	mu    sync.Mutex
	hooks []func(ctx context.Context, issuer, subject string) // guarded by mu
}

func openPeople(ctx context.Context, s store.Store, issuer string, cfg Config) (*People, error) {
	p := &People{rows: store.NewTable[personRow](s, "idp/people"), issuer: issuer, log: cfg.Log, now: cfg.Clock}
	return p, p.count(ctx)
}

func (p *People) count(ctx context.Context) error {
	rows, err := p.rows.List(ctx)
	if err != nil {
		return fmt.Errorf("read people: %w", err)
	}
	p.any.Store(len(rows) > 0)
	return nil
}

// OnRemoved adds a hook that Remove waits for: the sessions of the person
// (issuer, subject) end. Call it before the first Remove.
func (p *People) OnRemoved(hook func(ctx context.Context, issuer, subject string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hooks = append(p.hooks, hook)
}

// Add makes a person (store.ErrExists for a taken email) and returns the
// password, generated or given.
func (p *People) Add(ctx context.Context, n NewPerson) (Person, string, error) {
	email, err := cleanEmail(n.Email)
	name := strings.TrimSpace(n.Name)
	if !oneLine(name, maxName) {
		err = errors.Join(err, ErrName)
	}
	groups, groupErr := cleanGroups(n.Groups)
	password, hash, passErr := choosePassword(ctx, n.Password, errors.Join(err, groupErr) == nil)
	if err := errors.Join(err, groupErr, passErr); err != nil {
		return Person{}, "", err
	}
	person := Person{
		Subject: "per_" + strings.ToLower(rand.Text()), Email: email, Name: name, Groups: groups,
		CreatedAt: p.now().UTC().Round(0),
	}
	if err := p.rows.Create(ctx, email, personRow{person, hash}); err != nil {
		return Person{}, "", fmt.Errorf("add %s: %w", email, err)
	}
	p.any.Store(true)
	p.log.Info("person added", "person", email, "groups", groups)
	return person, password, nil
}

// List returns everybody, ordered by email.
func (p *People) List(ctx context.Context) ([]Person, error) {
	rows, err := p.rows.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	people := make([]Person, 0, len(rows))
	for _, r := range rows {
		people = append(people, r.Person)
	}
	slices.SortFunc(people, func(a, b Person) int { return strings.Compare(a.Email, b.Email) })
	return people, nil
}

// Get returns one person by email, or store.ErrNotFound.
func (p *People) Get(ctx context.Context, email string) (Person, error) {
	row, err := p.row(ctx, email)
	return row.Person, err
}

func (p *People) row(ctx context.Context, email string) (personRow, error) {
	email, err := cleanEmail(email)
	if err != nil {
		return personRow{}, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	row, err := p.rows.Get(ctx, email)
	if err != nil {
		return personRow{}, fmt.Errorf("person %s: %w", email, err)
	}
	return row, nil
}

// Remove deletes a person (store.ErrNotFound) and returns when every hook of
// OnRemoved has.
func (p *People) Remove(ctx context.Context, email string) error {
	row, err := p.row(ctx, email)
	if err != nil {
		return err
	}
	if err := p.rows.Delete(ctx, row.Email); err != nil {
		return fmt.Errorf("remove %s: %w", row.Email, err)
	}
	p.log.Info("person removed", "person", row.Email)
	p.mu.Lock()
	hooks := slices.Clone(p.hooks)
	p.mu.Unlock()
	for _, hook := range hooks {
		hook(ctx, p.issuer, row.Subject)
	}
	return p.count(ctx)
}

// SetPassword changes a password; an empty one is generated. It returns it.
// Sessions go on; remove them by hand where the old password was known to others.
func (p *People) SetPassword(ctx context.Context, email, password string) (string, error) {
	row, err := p.row(ctx, email)
	if err != nil {
		return "", err
	}
	password, hash, err := choosePassword(ctx, password, true)
	if err != nil {
		return "", err
	}
	_, err = p.rows.Update(ctx, row.Email, func(r *personRow) error { r.PasswordHash = hash; return nil })
	if err != nil {
		return "", fmt.Errorf("set password of %s: %w", row.Email, err)
	}
	p.log.Info("password changed", "person", row.Email)
	return password, nil
}

// SetGroups replaces a person's groups. Tokens name them from the next login on.
func (p *People) SetGroups(ctx context.Context, email string, groups []string) (Person, error) {
	row, err := p.row(ctx, email)
	if err != nil {
		return Person{}, err
	}
	if groups, err = cleanGroups(groups); err != nil {
		return Person{}, err
	}
	row, err = p.rows.Update(ctx, row.Email, func(r *personRow) error { r.Groups = groups; return nil })
	if err != nil {
		return Person{}, fmt.Errorf("set groups of %s: %w", email, err)
	}
	p.log.Info("groups changed", "person", row.Email, "groups", groups)
	return row.Person, nil
}

// verify checks a password. Unknown people cost the same time.
func (p *People) verify(ctx context.Context, email, password string) (Person, bool, error) {
	row, err := p.row(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return Person{}, false, err
	}
	hash := row.PasswordHash
	if err != nil {
		hash = nobodysHash
	}
	ok, hashErr := checkPassword(ctx, password, hash)
	if hashErr != nil {
		return Person{}, false, hashErr
	}
	if err != nil || !ok {
		return Person{}, false, nil
	}
	return row.Person, true, nil
}

// cleanEmail gives the form of an address that people are stored under.
func cleanEmail(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(s) > maxEmail || !isMade(local, ".!#$%&'*+-=?^_{|}~") {
		return "", ErrEmail
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || !isMade(label, "-") || strings.Trim(label, "-") != label {
			return "", ErrEmail
		}
	}
	return s, nil
}

func cleanGroups(groups []string) ([]string, error) {
	if len(groups) > maxGroups {
		return nil, fmt.Errorf("%w; a person has at most %d groups", ErrGroup, maxGroups)
	}
	clean := make([]string, 0, len(groups))
	for _, g := range groups {
		g = strings.TrimSpace(g)
		if g == "" || len(g) > 64 || !isMade(strings.ToLower(g), "._-") {
			return nil, ErrGroup
		}
		clean = append(clean, g)
	}
	slices.Sort(clean)
	return slices.Compact(clean), nil
}

// isMade says whether s has only a-z, 0-9 and the others.
func isMade(s, others string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(others, r)
	})
}

func oneLine(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' })
}
