package authn

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxClaim bounds one text of the provider.
	maxClaim = 512
	// maxGroups bounds the names of a person's groups together: they travel in
	// control messages, which have 64 KiB.
	maxGroups = 16 << 10
)

// claims are what we read of an ID token or a userinfo answer.
type claims struct {
	Issuer          string          `json:"-"`
	Subject         string          `json:"-"`
	Email           string          `json:"email"`
	EmailVerified   loose           `json:"email_verified"`
	Name            string          `json:"name"`
	Username        string          `json:"preferred_username"`
	AMR             json.RawMessage `json:"amr"`
	ACR             string          `json:"acr"`
	AuthTime        float64         `json:"auth_time"`
	AuthorisedParty string          `json:"azp"`

	groups []string // nil where the claim is missing
}

// loose is a boolean that some providers send as a text. Whatever is not true
// is false.
type loose bool

func (l *loose) UnmarshalJSON(b []byte) error {
	s := string(b)
	*l = s == "true" || s == `"true"`
	return nil
}

// read decodes through the claims function of go-oidc.
func (c *claims) read(decode func(any) error, groupsClaim string) error {
	if err := decode(c); err != nil {
		return fmt.Errorf("%w: its claims cannot be read", ErrProvider)
	}
	var all map[string]json.RawMessage
	if err := decode(&all); err != nil {
		return fmt.Errorf("%w: its claims cannot be read", ErrProvider)
	}
	raw, ok := all[groupsClaim]
	if !ok || string(raw) == "null" {
		return nil
	}
	groups, err := texts(raw)
	if err != nil {
		// A deny rule for a group must not fail to match: refuse, not ignore.
		return fmt.Errorf("%w: claim %q is not a list of texts", ErrProvider, groupsClaim)
	}
	total := 0
	for _, g := range groups {
		total += len(g) + 3
	}
	if total > maxGroups {
		return fmt.Errorf("%w: it sends %d groups, more than the edge can carry; let it send only those that policies name", ErrProvider, len(groups))
	}
	c.groups = append([]string{}, groups...)
	return nil
}

// texts decodes a list of texts, or one.
func texts(raw json.RawMessage) ([]string, error) {
	var one string
	if err := json.Unmarshal(raw, &one); err == nil {
		return []string{one}, nil
	}
	var list []string
	err := json.Unmarshal(raw, &list)
	return list, err
}

// identity is what the claims say once they are complete.
func (c *claims) identity() (Identity, error) {
	// What rules compare is taken as it is or not at all.
	for what, s := range map[string]string{"sub": c.Subject, "email": c.Email, "acr": c.ACR, "group": strings.Join(c.groups, "")} {
		if len(s) > maxClaim && what != "group" || strings.ContainsFunc(s, acts) {
			return Identity{}, fmt.Errorf("%w: claim %s cannot be used", ErrProvider, what)
		}
	}
	if len(c.Name) > maxClaim {
		return Identity{}, fmt.Errorf("%w: claim name cannot be used", ErrProvider)
	}
	who := Identity{
		Issuer: c.Issuer, Subject: c.Subject, Email: c.Email, EmailVerified: bool(c.EmailVerified) && c.Email != "",
		Name: shown(c.Name), Groups: c.groups, ACR: c.ACR,
	}
	if who.Name == "" {
		who.Name = shown(c.Username)
	}
	if amr, err := texts(c.AMR); err == nil && len(amr) <= 16 {
		who.AMR = amr
	}
	if c.AuthTime > 0 && c.AuthTime < 1<<40 {
		who.AuthTime = time.Unix(int64(c.AuthTime), 0).UTC()
	}
	return who, nil
}

// acts says of a character that it acts on a screen instead of being shown there.
func acts(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp)
}

// shown is a name without characters that act, "" for one that is too long.
func shown(s string) string {
	if len(s) > maxClaim {
		return ""
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if acts(r) {
			return -1
		}
		return r
	}, s))
}

// short makes a foreign text fit for an error: one line, 200 characters.
func short(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 200 {
		return string(r[:200]) + "..."
	}
	return s
}
