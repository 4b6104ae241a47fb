package store

import (
	"strconv"
	"strings"
	"time"
)

// Machine is the scope of what belongs to the machine and to no OS user.
const Machine = "machine"

// Key joins the parts of a composite key. None of them contains a slash: ids of
// OS users, names of edges and host names.
func Key(parts ...string) string {
	key := parts[0]
	for _, p := range parts[1:] {
		key += "/" + p
	}
	return key
}

// Edge is an edge that a scope has chosen. The one used last is the scope's own.
type Edge struct {
	ID       string    `json:"id"`
	Scope    string    `json:"scope"`
	Name     string    `json:"name"` // with ":PORT" where it is not 443
	Address  string    `json:"address,omitempty"`
	CAPEM    string    `json:"ca_pem,omitempty"`
	Proxy    string    `json:"proxy,omitempty"`     // a URL, perhaps with a password, or "direct"
	HostKeys string    `json:"host_keys,omitempty"` // as in api.Edge
	UsedAt   time.Time `json:"used_at"`
}

// Forward is a forward that is kept.
type Forward struct {
	ID        string    `json:"id"`
	Owner     string    `json:"owner"`      // id of the OS user
	OwnerName string    `json:"owner_name"` // as it was called then
	Hostname  string    `json:"hostname"`
	Listen    string    `json:"listen"`
	Edge      string    `json:"edge"`
	HTTP      bool      `json:"http,omitempty"`
	Paused    bool      `json:"paused,omitempty"`
	Share     string    `json:"share,omitempty"` // who else may use it
	CreatedAt time.Time `json:"created_at"`
}

// Account is who has an id of an OS user now. Ids are given out again: what was a
// former holder's is not the next one's.
type Account struct {
	UID  string `json:"uid"`
	Name string `json:"name"`
	// Holder counts those who had the id, from 1.
	Holder int `json:"holder"`
}

// Scope is what things of the account are kept under: the id for the first.
func (a Account) Scope() string {
	if a.Holder <= 1 {
		return a.UID
	}
	return a.UID + holderMark + strconv.Itoa(a.Holder)
}

// holderMark stands in no id of an OS user.
const holderMark = "~"

// UIDOf is the id of the OS user of a scope.
func UIDOf(scope string) string {
	uid, _, _ := strings.Cut(scope, holderMark)
	return uid
}

// Tunnel is a tunnel that is kept.
type Tunnel struct {
	ID        string    `json:"id"`
	Hostname  string    `json:"hostname"`
	Origin    string    `json:"origin"`
	Edge      string    `json:"edge"`
	Paused    bool      `json:"paused,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

// DeviceKey is the private key of one (scope, edge).
type DeviceKey struct {
	PKCS8     []byte    `json:"pkcs8"`
	CreatedAt time.Time `json:"created_at"`
}

// Session is what the daemon knows of the session of one (scope, edge).
type Session struct {
	Scope string `json:"scope"`
	Edge  string `json:"edge"`
	// Token is the newest; "" once the session has ended.
	Token string       `json:"token,omitempty"`
	Info  *SessionInfo `json:"info,omitempty"`
	// Ended is why there is none any more.
	Ended *Reason `json:"ended,omitempty"`
	// Farewell is a logout that the edge has not heard of yet.
	Farewell *Farewell `json:"farewell,omitempty"`
}

// SessionInfo is a session as the edge told it.
type SessionInfo struct {
	ID        string    `json:"id"`
	Issuer    string    `json:"issuer"`
	Subject   string    `json:"subject"`
	Email     string    `json:"email,omitempty"`
	Name      string    `json:"name,omitempty"`
	Groups    []string  `json:"groups,omitempty"`
	StartedAt time.Time `json:"started_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Farewell is what it takes to end a session at the edge later.
type Farewell struct {
	Session string `json:"session"`
	Token   string `json:"token"`
}

// Reason is why something ended.
type Reason struct {
	Code string    `json:"code"`
	Text string    `json:"text,omitempty"`
	Hint string    `json:"hint,omitempty"`
	At   time.Time `json:"at"`
}

// Enrolment is this machine's connector at one edge.
type Enrolment struct {
	Edge        string    `json:"edge"`
	ConnectorID string    `json:"connector_id"`
	Group       string    `json:"group"`
	Site        string    `json:"site"`
	Hostnames   []string  `json:"hostnames"`
	Since       time.Time `json:"since"`
	Ended       *Reason   `json:"ended,omitempty"`
}

// HostKeys are the keys of hosts that have served a hostname (rule 14), as hex.
type HostKeys struct {
	Keys []string `json:"keys"`
}
