package api

import "time"

// Edge is one edge that a caller's forwards, or the machine's tunnels, use.
type Edge struct {
	// ID is made by the daemon.
	ID string `json:"id"`
	// Name is the host name of the edge, with ":PORT" where it is not 443.
	Name string `json:"name"`
	// Address is an IP:PORT to dial instead of looking Name up; "" means look up.
	Address string `json:"address,omitempty"`
	// CAPEM is the certificate bundle that the edge's certificate is checked
	// against; "" means the system's roots.
	CAPEM string `json:"ca_pem,omitempty"`
	// Proxy is the URL of the proxy that leads there, its password left out, or
	// "direct" for none; "" means what the daemon's environment says.
	Proxy string `json:"proxy,omitempty"`
	// HostKeys says what becomes of a host whose key is not one of those that have
	// served its hostname before: HostKeysReport, which is also "", or HostKeysStrict.
	HostKeys string `json:"host_keys,omitempty"`
	// Machine is true for the edge that tunnels use, and that people use who
	// have chosen none. Only an administrator sets it.
	Machine bool `json:"machine"`
	// Link says how the connection to the edge is.
	Link Link `json:"link"`
}

// LinkState is how a daemon's control connection to an edge is.
type LinkState string

const (
	LinkIdle       LinkState = "idle"       // nothing needs it
	LinkConnecting LinkState = "connecting" // dialling, TLS, hello
	LinkOnline     LinkState = "online"     // welcome received
	LinkWaiting    LinkState = "waiting"    // failed, will try again at RetryAt
)

// Link is the state of the connection to an edge.
type Link struct {
	State   LinkState  `json:"state"`
	Since   time.Time  `json:"since"`
	RetryAt *time.Time `json:"retry_at,omitempty"`
	Problem *Problem   `json:"problem,omitempty"`
	// Form is how an online link travels: "direct" or "websocket".
	Form string `json:"form,omitempty"`
}

// EdgeInput is the body of POST /v1/edges: use this edge from now on. Of an edge
// that is known, an empty Address, CAPEM, Proxy or HostKeys stays as it was.
type EdgeInput struct {
	Name     string `json:"name"`
	Address  string `json:"address,omitempty"`
	CAPEM    string `json:"ca_pem,omitempty"`
	Proxy    string `json:"proxy,omitempty"`
	HostKeys string `json:"host_keys,omitempty"`
	Machine  bool   `json:"machine,omitempty"`
}

// The values of HostKeys.
const (
	HostKeysReport = "report" // the daemon's log names it, and it is remembered
	HostKeysStrict = "strict" // nothing is opened through it
)

// ForwardState is how a forward is.
type ForwardState string

const (
	ForwardPaused      ForwardState = "paused"       // switched off by its owner
	ForwardStarting    ForwardState = "starting"     // the listener is being bound
	ForwardReady       ForwardState = "ready"        // bound, and streams can be opened
	ForwardLoginNeeded ForwardState = "login-needed" // bound; the first connection raises a login
	ForwardConnecting  ForwardState = "connecting"   // bound; the link is not online yet
	ForwardError       ForwardState = "error"        // not bound, or no edge; see Problem
)

// Forward is one local entry: a listener on this machine that leads to a
// hostname. It belongs to one OS user.
type Forward struct {
	ID       string `json:"id"`
	Hostname string `json:"hostname"`
	// Listen is "localhost:9210", "127.0.0.1:9210" or "unix:/path".
	Listen string `json:"listen"`
	// Edge is the name of the edge; "" in input means the caller's.
	Edge string `json:"edge"`
	// HTTP says that the service speaks HTTP; see docs/configuration.md.
	HTTP bool `json:"http"`
	// Paused forwards have no listener.
	Paused bool `json:"paused"`
	// Hold forwards live as long as the request that made them.
	Hold bool `json:"hold"`
	// Owner is the name of the OS user it belongs to.
	Owner string `json:"owner"`
	// Share is who else may use its port, with the owner's session: "everyone" on
	// this machine or "group:NAME"; "" means nobody. Only an administrator sets it.
	Share string `json:"share,omitempty"`

	State         ForwardState `json:"state"`
	Since         time.Time    `json:"since"`
	Problem       *Problem     `json:"problem,omitempty"`
	Connections   int          `json:"connections"`
	Waiting       int          `json:"waiting"`
	TotalConns    uint64       `json:"total_connections"`
	BytesToOrigin uint64       `json:"bytes_to_origin"`
	BytesToLocal  uint64       `json:"bytes_to_local"`
	// Resuming is set while connections wait for another way.
	Resuming *Resuming `json:"resuming,omitempty"`
	// ResumedConns counts how often a connection went on with another way, and
	// ExpiredConns the connections for which none came in time. ReplayedBytes were
	// sent again by this end.
	ResumedConns  uint64 `json:"resumed_connections"`
	ExpiredConns  uint64 `json:"expired_connections"`
	ReplayedBytes uint64 `json:"replayed_bytes"`
	// LastError is what the last failed connection was told; nil after a success.
	LastError *Problem `json:"last_error,omitempty"`
	// OwnerCheck is "enforced", "filesystem" (unix sockets) or "unsupported"
	// where this system cannot tell whose connection it is.
	OwnerCheck string `json:"owner_check"`
}

// Resuming is how many connections of a forward or tunnel wait: what carried them
// through the edge was lost, and they go on with another.
type Resuming struct {
	Connections int `json:"connections"`
	// Since is when the first of them began to wait.
	Since time.Time `json:"since"`
}

// Values of Forward.Share; ShareGroup stands before a group's name.
const (
	ShareEveryone = "everyone"
	ShareGroup    = "group:"
)

// ForwardInput is the body of POST /v1/forwards.
type ForwardInput struct {
	Hostname string `json:"hostname"`
	Listen   string `json:"listen"`
	Edge     string `json:"edge,omitempty"`
	HTTP     bool   `json:"http,omitempty"`
	Paused   bool   `json:"paused,omitempty"`
	Hold     bool   `json:"hold,omitempty"`
	Share    string `json:"share,omitempty"`
}

// ForwardPatch is the merge-patch body of PATCH /v1/forwards/{id}; nil leaves
// a field as it is.
type ForwardPatch struct {
	Hostname *string `json:"hostname,omitempty"`
	Listen   *string `json:"listen,omitempty"`
	HTTP     *bool   `json:"http,omitempty"`
	Paused   *bool   `json:"paused,omitempty"`
	Share    *string `json:"share,omitempty"`
}

// TunnelState is how a published app is.
type TunnelState string

const (
	TunnelPaused      TunnelState = "paused"       // switched off
	TunnelConnecting  TunnelState = "connecting"   // the link is not online yet
	TunnelPublished   TunnelState = "published"    // the edge routes its hostname here
	TunnelRefused     TunnelState = "refused"      // the edge refused the hostname; see Problem
	TunnelOriginDown  TunnelState = "origin-down"  // published, but the origin does not answer
	TunnelEnrolNeeded TunnelState = "enrol-needed" // this machine is not enrolled as a host
	TunnelError       TunnelState = "error"        // see Problem
)

// Tunnel is one published app on this host: hostname -> origin. Tunnels belong
// to the machine and are managed by administrators.
type Tunnel struct {
	ID       string `json:"id"`
	Hostname string `json:"hostname"`
	// Origin is "tcp://HOST:PORT" or "unix:/path".
	Origin string `json:"origin"`
	Edge   string `json:"edge"`
	Paused bool   `json:"paused"`
	Hold   bool   `json:"hold"`

	State           TunnelState `json:"state"`
	Since           time.Time   `json:"since"`
	Problem         *Problem    `json:"problem,omitempty"`
	Connections     int         `json:"connections"`
	TotalConns      uint64      `json:"total_connections"`
	BytesToOrigin   uint64      `json:"bytes_to_origin"`
	BytesFromOrigin uint64      `json:"bytes_from_origin"`
	// Resuming and what follows are explained at Forward.
	Resuming      *Resuming `json:"resuming,omitempty"`
	ResumedConns  uint64    `json:"resumed_connections"`
	ExpiredConns  uint64    `json:"expired_connections"`
	ReplayedBytes uint64    `json:"replayed_bytes"`
}

// TunnelInput is the body of POST /v1/tunnels.
type TunnelInput struct {
	Hostname string `json:"hostname"`
	Origin   string `json:"origin"`
	Paused   bool   `json:"paused,omitempty"`
	Hold     bool   `json:"hold,omitempty"`
}

// TunnelPatch is the merge-patch body of PATCH /v1/tunnels/{id}.
type TunnelPatch struct {
	Origin *string `json:"origin,omitempty"`
	Paused *bool   `json:"paused,omitempty"`
}

// Enrolment is this machine's identity as a host towards an edge.
type Enrolment struct {
	Edge        string    `json:"edge"`
	ConnectorID string    `json:"connector_id"`
	Group       string    `json:"group"`
	Site        string    `json:"site"`
	Hostnames   []string  `json:"hostnames"`
	Since       time.Time `json:"since"`
	// Problem is set where the edge revoked it.
	Problem *Problem `json:"problem,omitempty"`
}

// EnrolmentInput is the body of POST /v1/enrolments: become a host by a
// one-time join token.
type EnrolmentInput struct {
	Token string `json:"token"`
}

// LoginState is how one attempt to sign in is.
type LoginState string

const (
	LoginWanted    LoginState = "wanted"    // a connection waits; nobody has taken it yet
	LoginStarting  LoginState = "starting"  // the edge is being asked
	LoginBrowser   LoginState = "browser"   // URL is to be opened; the person acts
	LoginRedeeming LoginState = "redeeming" // the code came back; the edge is asked
	LoginDone      LoginState = "done"      // a session (or an enrolment) is there
	LoginRefused   LoginState = "refused"   // by the person, the provider or the edge
	LoginExpired   LoginState = "expired"   // nobody acted in time
	LoginCancelled LoginState = "cancelled" // by who asked, or replaced by another
	LoginFailed    LoginState = "failed"    // see Problem
)

// Final says whether a login has come to its end.
func (s LoginState) Final() bool {
	switch s {
	case LoginDone, LoginRefused, LoginExpired, LoginCancelled, LoginFailed:
		return true
	}
	return false
}

// LoginMode is how the code comes back from the browser.
type LoginMode string

const (
	// ModeLoopback: the browser is on this machine; it is sent to a listener
	// of who asked (ctl or the tray).
	ModeLoopback LoginMode = "loopback"
	// ModeCode: the browser is anywhere; the page shows a code that the person
	// types into the program that asked.
	ModeCode LoginMode = "code"
)

// LoginPurpose is what a login is for.
type LoginPurpose string

const (
	PurposeSession LoginPurpose = "session" // a person on this device
	PurposeEnrol   LoginPurpose = "enrol"   // this machine becomes a host
)

// Login is one attempt to sign in.
type Login struct {
	ID      string       `json:"id"`
	Edge    string       `json:"edge"`
	Owner   string       `json:"owner"`
	Mode    LoginMode    `json:"mode,omitempty"`
	Purpose LoginPurpose `json:"purpose"`
	State   LoginState   `json:"state"`
	URL     string       `json:"url,omitempty"`
	// LoopbackPort is where the taker listens (mode loopback): who finds another
	// port than its own has joined the attempt of another taker, and opens no
	// second browser.
	LoopbackPort uint16     `json:"loopback_port,omitempty"`
	CompareCode  string     `json:"compare_code,omitempty"`
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
	// Waiting is how many connections wait for it.
	Waiting int `json:"waiting"`
	// Session is set when State is done and Purpose is session.
	Session *Session `json:"session,omitempty"`
	// Enrolment is set when State is done and Purpose is enrol.
	Enrolment *Enrolment `json:"enrolment,omitempty"`
	Problem   *Problem   `json:"problem,omitempty"`
}

// LoginInput is the body of POST /v1/logins. Whoever asks in the same mode
// while an attempt is under way joins it.
type LoginInput struct {
	Edge    string       `json:"edge,omitempty"`
	Mode    LoginMode    `json:"mode"`
	Purpose LoginPurpose `json:"purpose,omitempty"`
	// LoopbackPort and LoopbackPath are where the taker listens (mode loopback).
	LoopbackPort uint16 `json:"loopback_port,omitempty"`
	LoopbackPath string `json:"loopback_path,omitempty"`
	// Hold ties the attempt to this request: the answer is a stream of Login
	// lines (application/x-ndjson) that ends with a final state.
	Hold bool `json:"hold,omitempty"`
}

// RedeemInput is the body of POST /v1/logins/{id}/redeem: the code that the
// browser brought back, or that the person typed.
type RedeemInput struct {
	Code string `json:"code"`
}

// SessionState is how a session is.
type SessionState string

const (
	SessionActive  SessionState = "active"
	SessionExpired SessionState = "expired"
	SessionEnded   SessionState = "ended" // logout, revoked, ...: see Problem
)

// Session is what a successful login leaves: a person on a device key.
type Session struct {
	ID        string       `json:"id"`
	Edge      string       `json:"edge"`
	Owner     string       `json:"owner"`
	Person    Person       `json:"person"`
	State     SessionState `json:"state"`
	StartedAt time.Time    `json:"started_at"`
	ExpiresAt time.Time    `json:"expires_at"`
	// Problem says who ended it, why, and what to do next.
	Problem *Problem `json:"problem,omitempty"`
}

// Person is who signed in.
type Person struct {
	Email  string   `json:"email"`
	Name   string   `json:"name,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// App is a hostname that the signed-in person may reach.
type App struct {
	Hostname string `json:"hostname"`
	// Online is false where no connector serves it now.
	Online bool `json:"online"`
}

// StreamInput is the body of POST /v1/streams, which upgrades the connection
// to the raw bytes of one stream ("Upgrade: sallyport-stream").
type StreamInput struct {
	Hostname string `json:"hostname"`
	Edge     string `json:"edge,omitempty"`
}

// UpgradeStream is the upgrade token of POST /v1/streams.
const UpgradeStream = "sallyport-stream"

// Version is the answer of GET /v1/version.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	// Features are names of what this daemon can do; ask for a feature, never
	// compare versions.
	Features []string `json:"features"`
}

// StreamHeader is the header of the answer 101 that names the stream, for
// GET /v1/streams/{id}.
const StreamHeader = "Sallyport-Stream"

// Stream is how an upgraded stream is, or how it ended. It exists because raw
// bytes on a Unix socket cannot tell a reset from an orderly end: who reads
// the end of the bytes asks here. It is kept for ten minutes after the end.
type Stream struct {
	ID       string `json:"id"`
	Hostname string `json:"hostname"`
	// Open is false once no more bytes come from the origin.
	Open bool `json:"open"`
	// Problem is why the stream was reset; nil while it is open and after an
	// orderly end.
	Problem *Problem `json:"problem,omitempty"`
}
