package audit

import "time"

// Record is one audit line. Event and Outcome are required; Time, Seq, Edge,
// Prev and Hash are filled in by Log. It never holds keys, codes, tokens,
// cookies, query strings or payload.
type Record struct {
	Time    time.Time `json:"time"`
	Seq     uint64    `json:"seq"`
	Edge    string    `json:"edge"`
	Event   string    `json:"event"`
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason,omitempty"`
	// Detail is free words for a reader; bounded.
	Detail string `json:"detail,omitempty"`

	// Who: the actor of an administrator's action ("admin-socket uid 0"), or the
	// person of a login, session or stream.
	Actor    string   `json:"actor,omitempty"`
	Issuer   string   `json:"issuer,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	Email    string   `json:"email,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AuthTime string   `json:"auth_time,omitempty"`

	// Where from.
	KeyHash        string `json:"key_hash,omitempty"` // device key
	DeviceName     string `json:"device_name,omitempty"`
	OSUser         string `json:"os_user,omitempty"`
	DaemonAddress  string `json:"daemon_address,omitempty"`
	BrowserAddress string `json:"browser_address,omitempty"`

	// Login.
	Attempt string `json:"attempt,omitempty"`
	Mode    string `json:"mode,omitempty"`
	Purpose string `json:"purpose,omitempty"`
	Failure string `json:"failure,omitempty"` // failure class

	// Session.
	Session    string `json:"session,omitempty"`
	Cause      string `json:"cause,omitempty"`
	StreamsCut int    `json:"streams_cut,omitempty"`
	CutMS      int64  `json:"cut_ms,omitempty"`

	// Stream.
	Trunk         string `json:"trunk,omitempty"`
	FromTrunk     string `json:"from_trunk,omitempty"` // what carried it before
	Stream        string `json:"stream,omitempty"`
	Trace         string `json:"trace,omitempty"`
	Hostname      string `json:"hostname,omitempty"`
	Port          uint16 `json:"port,omitempty"`
	Connector     string `json:"connector,omitempty"`
	Rule          string `json:"rule,omitempty"`
	PolicyVersion int64  `json:"policy_version,omitempty"`
	BytesToOrigin uint64 `json:"bytes_to_origin,omitempty"`
	BytesToClient uint64 `json:"bytes_to_client,omitempty"`
	DurationMS    int64  `json:"duration_ms,omitempty"`
	End           string `json:"end,omitempty"` // end reason's code

	// Connector, join token, claim, policy, config, admin action.
	Object string   `json:"object,omitempty"` // id of what was acted on
	Site   string   `json:"site,omitempty"`
	Group  string   `json:"group,omitempty"`
	Before string   `json:"before,omitempty"` // diff, without secrets
	After  string   `json:"after,omitempty"`
	Hosts  []string `json:"hostnames,omitempty"`

	// Violation.
	Peer     string            `json:"peer,omitempty"`
	Counters map[string]uint64 `json:"counters,omitempty"`

	// Prev is the Hash of the line before, in hex.
	Prev string `json:"prev"`
	// Hash is the SHA-256 of this line as it stands with Hash empty.
	Hash string `json:"hash"`
}

// Outcomes.
const (
	OK      = "ok"
	Refused = "refused"
	Failed  = "failed"
)

// Events.
const (
	EventLogin            = "login"
	EventSessionStarted   = "session-started"
	EventSessionEnded     = "session-ended"
	EventStreamStart      = "stream-start"
	EventStreamResume     = "stream-resume" // it goes on with another trunk
	EventStreamEnd        = "stream-end"
	EventTrunkEnd         = "trunk-end" // its bytes are the edge's own count, of all that it relayed
	EventDecision         = "decision"
	EventConnectorCreated = "connector-created"
	EventConnectorRevoked = "connector-revoked"
	EventTokenCreated     = "token-created"
	EventTokenUsed        = "token-used"
	EventTokenRemoved     = "token-removed"
	EventClaim            = "claim"
	EventApp              = "app"
	EventPerson           = "person"
	EventAdmin            = "admin-action"
	EventConfig           = "config"
	EventEdgeStarted      = "edge-started"
	EventEdgeDrains       = "edge-drains" // it takes no new streams
	EventEdgeStopped      = "edge-stopped"
	EventViolation        = "violation"
	EventTorn             = "audit-torn"    // of Log itself: a crash tore a line
	EventDropped          = "audit-dropped" // of Log itself: notes found no room
)
