package adminapi

import "time"

// MaxBodyBytes bounds a request's body.
const MaxBodyBytes = 256 << 10

// Rule says allow or deny to whom one of its selectors matches.
type Rule struct {
	Action    string   `json:"action"`
	Selectors []string `json:"selectors"`
}

// App is a protected hostname with its rules, the first that matches decides.
type App struct {
	Hostname string `json:"hostname"`
	Contact  string `json:"contact,omitempty"`
	Rules    []Rule `json:"rules"`
	// ResumeWindowMS is how long a stream waits for another trunk; 0: not at all.
	ResumeWindowMS int64     `json:"resume_window_ms"`
	Version        int64     `json:"version"`
	UpdatedAt      time.Time `json:"updated_at"`
}

// AppInput is the body of POST /v1/apps.
type AppInput struct {
	Hostname string `json:"hostname"`
	Contact  string `json:"contact,omitempty"`
	Rules    []Rule `json:"rules,omitempty"`
	// ResumeWindowMS: nil means the default.
	ResumeWindowMS *int64 `json:"resume_window_ms,omitempty"`
}

// AppPatch is the body of PATCH /v1/apps/{hostname}; nil leaves a field as it is.
type AppPatch struct {
	Contact        *string `json:"contact,omitempty"`
	Rules          []Rule  `json:"rules,omitempty"`
	ResumeWindowMS *int64  `json:"resume_window_ms,omitempty"`
}

// Person is somebody of the embedded provider.
type Person struct {
	Subject   string    `json:"subject"`
	Email     string    `json:"email"`
	Name      string    `json:"name,omitempty"`
	Groups    []string  `json:"groups"`
	CreatedAt time.Time `json:"created_at"`
}

// PersonInput is the body of POST /v1/people. An empty password is generated.
type PersonInput struct {
	Email    string   `json:"email"`
	Name     string   `json:"name,omitempty"`
	Password string   `json:"password,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// PersonPatch is the body of PATCH /v1/people/{email}; nil leaves groups as they are.
type PersonPatch struct {
	Groups *[]string `json:"groups,omitempty"`
}

// PasswordInput is the body of PUT /v1/people/{email}/password. An empty
// password is generated.
type PasswordInput struct {
	Password string `json:"password,omitempty"`
}

// Credentials answers POST /v1/people and PUT /v1/people/{email}/password.
type Credentials struct {
	Person
	// Password is told this once, and only where it was generated.
	Password string `json:"password,omitempty"`
}

// End is why something is over.
type End struct {
	Code string `json:"code"`
	Text string `json:"text,omitempty"`
}

// Session is a person on a device key.
type Session struct {
	ID         string     `json:"id"`
	Issuer     string     `json:"issuer"`
	Subject    string     `json:"subject"`
	Email      string     `json:"email"`
	Name       string     `json:"name,omitempty"`
	Groups     []string   `json:"groups"`
	DeviceName string     `json:"device_name,omitempty"`
	OSUser     string     `json:"os_user,omitempty"`
	From       string     `json:"from,omitempty"`
	Key        string     `json:"key"`
	StartedAt  time.Time  `json:"started_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	EndedAt    *time.Time `json:"ended_at,omitempty"`
	End        *End       `json:"end,omitempty"`
}

// Ended answers DELETE /v1/sessions/{id or email}.
type Ended struct {
	Sessions []string `json:"sessions"`
}

// Connector is an enrolled host.
type Connector struct {
	ID         string     `json:"id"`
	Group      string     `json:"group"`
	Site       string     `json:"site"`
	Hostnames  []string   `json:"hostnames"`
	DeviceName string     `json:"device_name,omitempty"`
	Key        string     `json:"key"`
	By         string     `json:"by"`
	CreatedAt  time.Time  `json:"created_at"`
	RevokedAt  *time.Time `json:"revoked_at,omitempty"`
	End        *End       `json:"end,omitempty"`
}

// Token is a join token; its secret is told when it is made, and never again.
type Token struct {
	ID        string    `json:"id"`
	Site      string    `json:"site"`
	Hostnames []string  `json:"hostnames"`
	Group     string    `json:"group,omitempty"`
	Uses      int       `json:"uses"`
	Used      int       `json:"used"`
	By        string    `json:"by"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// TokenInput is the body of POST /v1/tokens; zero values mean the defaults.
type TokenInput struct {
	Site       string   `json:"site"`
	Hostnames  []string `json:"hostnames"`
	Group      string   `json:"group,omitempty"`
	TTLSeconds int64    `json:"ttl_s,omitempty"`
	Uses       int      `json:"uses,omitempty"`
}

// NewToken answers POST /v1/tokens.
type NewToken struct {
	Token
	Secret string `json:"secret"`
}

// Stream is one live stream.
type Stream struct {
	ID        string    `json:"id"`
	Trace     string    `json:"trace"`
	Trunk     string    `json:"trunk"`
	Session   string    `json:"session"`
	Email     string    `json:"email"`
	Device    string    `json:"device,omitempty"`
	OSUser    string    `json:"os_user,omitempty"`
	Address   string    `json:"address,omitempty"`
	Hostname  string    `json:"hostname"`
	Port      uint16    `json:"port,omitempty"`
	Connector string    `json:"connector"`
	Rule      string    `json:"rule"`
	StartedAt time.Time `json:"started_at"`
	// Parked: what carried it is lost, and it waits to go on.
	Parked bool `json:"parked,omitempty"`
}

// AuditSummary answers GET /v1/audit/verify.
type AuditSummary struct {
	Segments int    `json:"segments"`
	Lines    uint64 `json:"lines"`
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
	LastHash string `json:"last_hash"`
}

// SetupLink answers GET /v1/setup-link.
type SetupLink struct {
	URL string `json:"url"`
}

// WhyInput is the body of POST /v1/decisions: what would this person be told?
type WhyInput struct {
	Email    string `json:"email"`
	Hostname string `json:"hostname"`
	// Groups replace those that are known of the person; nil keeps them.
	Groups []string `json:"groups,omitempty"`
}

// Why answers POST /v1/decisions.
type Why struct {
	Email    string   `json:"email"`
	Hostname string   `json:"hostname"`
	Groups   []string `json:"groups"`
	// Known is where the groups are from: "session", "person", "given" or
	// "nothing" (then the groups that a login would bring are not counted).
	Known   string `json:"known"`
	Allow   bool   `json:"allow"`
	Rule    string `json:"rule"`
	Contact string `json:"contact,omitempty"`
	Version int64  `json:"version"`
}

// DrainInput is the body of POST /v1/drain.
type DrainInput struct {
	// DeadlineMS is how long the streams have; nil means drain.deadline of the config.
	DeadlineMS *int64 `json:"deadline_ms,omitempty"`
}

// Drain answers POST /v1/drain: the edge leaves at the deadline, or when its
// streams have ended.
type Drain struct {
	Deadline time.Time `json:"deadline"`
	Streams  int       `json:"streams"`
}

// Status answers GET /v1/status.
type Status struct {
	Name      string    `json:"name"`
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Clients   int       `json:"client_links"`
	Hosts     int       `json:"host_links"`
	Trunks    int       `json:"trunks"`
	Streams   int       `json:"streams"`
	Parked    int       `json:"parked"` // streams that wait to go on
}
