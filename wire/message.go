package wire

import "time"

// Message is one control message of a link. Every type in this file is one;
// its Kind is its number on the wire. Unknown fields are ignored.
type Message interface{ Kind() Kind }

// Kind is the number of a message type. Numbers are never used again.
type Kind uint8

const (
	KindHello Kind = iota + 1
	KindWelcome
	KindPing
	KindPong
	KindFailure
	KindOK
	KindLoginStart
	KindLoginStarted
	KindLoginRedeem
	KindLoginDone
	KindLoginEnded
	KindLoginCancel
	KindLogout
	KindEnrol
	KindEnrolled
	KindRegister
	KindRegistered
	KindTicketRequest
	KindTicket
	KindTicketFailed
	KindOffer
	KindOfferFailed
	KindOpenRequest
	KindGrant
	KindDenied
	KindStreamEnded
	KindExpireSoon
	KindSessionExtended
	KindSessionEnded
	KindConnectorEnded
	KindCut
	KindCutDone
	KindDrain
	KindMoveTo
	KindAppsRequest
	KindApps
	KindResume
	KindStreams
)

// Role is what a link is for.
type Role string

const (
	RoleClient Role = "client" // one OS user's device key
	RoleHost   Role = "host"   // the machine's connector
)

// Hello is the first message of a link, from the daemon. Everything else waits
// for Welcome.
type Hello struct {
	Versions []int    `json:"versions"`
	Features []string `json:"features,omitempty"`
	Role     Role     `json:"role"`
	// BootID names this daemon process: 128 random bits in hex.
	BootID        string `json:"boot_id"`
	DeviceName    string `json:"device_name,omitempty"`
	OSUser        string `json:"os_user,omitempty"`
	OS            string `json:"os,omitempty"`
	Arch          string `json:"arch,omitempty"`
	DaemonVersion string `json:"daemon_version,omitempty"`
	// SessionToken is the newest that was stored; "" without a session.
	SessionToken string `json:"session_token,omitempty"`
	// Streams are the live (and parked) streams of this daemon towards this edge,
	// the first MaxListed of them; More says that the others come in Streams.
	Streams []StreamRef `json:"streams,omitempty"`
	More    bool        `json:"more,omitempty"`
}

// MaxListed is how many streams one message lists, so that it stays below
// MaxMessage with the longest hostnames.
const MaxListed = 128

// Streams (daemon to edge) goes on with the list of a Hello, after the Welcome.
// Answered by OK.
type Streams struct {
	Streams []StreamRef `json:"streams"`
	More    bool        `json:"more,omitempty"`
}

// StreamRef names a stream and what carries it.
type StreamRef struct {
	Trunk   TrunkID  `json:"trunk"`
	Stream  StreamID `json:"stream"`
	Session string   `json:"session,omitempty"`
	// Parked is true where the stream waits for another carrier, or could, if the
	// edge was restarted; Hostname is what it was opened to, and set only then.
	Parked   bool   `json:"parked,omitempty"`
	Hostname string `json:"hostname,omitempty"`
}

// Welcome answers Hello.
type Welcome struct {
	Version  int       `json:"version"`
	Features []string  `json:"features,omitempty"`
	EdgeID   string    `json:"edge_id"`
	EdgeName string    `json:"edge_name"`
	EdgeTime time.Time `json:"edge_time"`
	// Session is the live session of this key, nil without one.
	Session *SessionInfo `json:"session,omitempty"`
	// SessionToken replaces the one shown; store it before using the link.
	SessionToken string `json:"session_token,omitempty"`
	// Ended says why the session whose token was shown is no more.
	Ended *Reason `json:"ended,omitempty"`
	// Connector is this key's enrolment (role host), nil without one.
	Connector *ConnectorInfo `json:"connector,omitempty"`
}

// SessionInfo is a session as the daemon sees it.
type SessionInfo struct {
	ID        string     `json:"id"`
	Person    PersonInfo `json:"person"`
	StartedAt time.Time  `json:"started_at"`
	ExpiresAt time.Time  `json:"expires_at"`
}

// PersonInfo is who signed in. Issuer and Subject identify; Email is for people.
type PersonInfo struct {
	Issuer  string   `json:"issuer"`
	Subject string   `json:"subject"`
	Email   string   `json:"email,omitempty"`
	Name    string   `json:"name,omitempty"`
	Groups  []string `json:"groups,omitempty"`
}

// ConnectorInfo is an enrolment as the host sees it.
type ConnectorInfo struct {
	ID        string   `json:"id"`
	Group     string   `json:"group"`
	Site      string   `json:"site"`
	Hostnames []string `json:"hostnames"` // globs it may serve
}

// Ping asks for a Pong. Both sides send one after PingAfter of silence.
type Ping struct{}

// Pong answers Ping.
type Pong struct{}

// Failure answers a request that did not succeed.
type Failure struct {
	Reason
	// RetryAfterMS asks to wait before the next try; 0 says nothing.
	RetryAfterMS int64 `json:"retry_after_ms,omitempty"`
}

// Unwrap gives the reason, so that errors.As finds it in the Failure that
// Link.Call returns.
func (f *Failure) Unwrap() error { return &f.Reason }

// OK answers a request that succeeded and has nothing to say.
type OK struct{}

// LoginPurpose is what a login is for; fixed at its start.
type LoginPurpose string

const (
	PurposeSession LoginPurpose = "session"
	PurposeEnrol   LoginPurpose = "enrol"
)

// LoginMode is how the code comes back; fixed at its start.
type LoginMode string

const (
	ModeLoopback LoginMode = "loopback"
	ModeCode     LoginMode = "code"
)

// LoginStart (daemon to edge) begins an attempt; answered by LoginStarted.
type LoginStart struct {
	Purpose    LoginPurpose `json:"purpose"`
	Mode       LoginMode    `json:"mode"`
	DeviceName string       `json:"device_name"`
	OSUser     string       `json:"os_user"`
	// LoopbackPort and LoopbackPath: where the browser is sent (mode loopback).
	LoopbackPort uint16 `json:"loopback_port,omitempty"`
	LoopbackPath string `json:"loopback_path,omitempty"`
	// VerifierHash is the SHA-256 of the verifier that LoginRedeem shows.
	VerifierHash []byte `json:"verifier_hash"`
}

// LoginStarted answers LoginStart.
type LoginStarted struct {
	Attempt     string    `json:"attempt"`
	URL         string    `json:"url"`
	CompareCode string    `json:"compare_code"`
	ExpiresAt   time.Time `json:"expires_at"`
}

// LoginRedeem (daemon to edge) shows the code that came back and the verifier;
// answered by LoginDone or Failure.
type LoginRedeem struct {
	Attempt  string `json:"attempt"`
	Code     string `json:"code"`
	Verifier []byte `json:"verifier"`
}

// LoginDone answers LoginRedeem: one of Session and Connector is set.
type LoginDone struct {
	Session      *SessionInfo   `json:"session,omitempty"`
	SessionToken string         `json:"session_token,omitempty"`
	Connector    *ConnectorInfo `json:"connector,omitempty"`
}

// LoginEnded (edge to daemon) says that an attempt ended without a code.
type LoginEnded struct {
	Attempt string `json:"attempt"`
	Reason  Reason `json:"reason"`
}

// LoginCancel (daemon to edge) gives an attempt up; answered by OK.
type LoginCancel struct {
	Attempt string `json:"attempt"`
}

// Logout (daemon to edge) ends a session of this key; answered by OK once the
// row is durable and every stream of the session is cut.
type Logout struct {
	Session string `json:"session"`
}

// Enrol (host to edge) shows a one-time join token; answered by Enrolled.
type Enrol struct {
	Token string `json:"token"`
}

// Enrolled answers Enrol.
type Enrolled struct {
	Connector ConnectorInfo `json:"connector"`
}

// Register (host to edge) gives the whole table of tunnels; it replaces the
// table before. Answered by Registered.
type Register struct {
	Tunnels []TunnelInfo `json:"tunnels"`
}

// TunnelInfo is one published hostname.
type TunnelInfo struct {
	Hostname string   `json:"hostname"`
	Ports    []uint16 `json:"ports,omitempty"`
	// Sick is true where the origin does not answer.
	Sick bool `json:"sick,omitempty"`
}

// Registered answers Register, one result a tunnel, in its order.
type Registered struct {
	Results []RegisterResult `json:"results"`
}

// RegisterResult: without Reason the hostname is routed here; Note is what is amiss all the same.
type RegisterResult struct {
	Hostname string  `json:"hostname"`
	Reason   *Reason `json:"reason,omitempty"`
	Note     *Reason `json:"note,omitempty"`
}

// CarrierKind is what a ticket is for.
type CarrierKind string

const (
	CarrierTrunk CarrierKind = "trunk"
	CarrierLane  CarrierKind = "lane"
)

// TicketRequest (client to edge) asks to be joined with a host of Hostname.
// Answered by Ticket or Failure.
type TicketRequest struct {
	Session  string      `json:"session"`
	Hostname string      `json:"hostname"`
	Carrier  CarrierKind `json:"carrier"`
	// Host is the host process that holds streams of ours; nil where any will do.
	Host *HostProcess `json:"host,omitempty"`
}

// HostProcess names one run of one host daemon.
type HostProcess struct {
	Key    KeyID  `json:"key"`
	BootID string `json:"boot_id"`
}

// Ticket answers TicketRequest. Dial the edge EdgeID within TicketLife with SNI
// ServerName and expect HostKey.
type Ticket struct {
	Trunk  TrunkID `json:"trunk"`
	Label  Label   `json:"label"`
	EdgeID string  `json:"edge_id"`
	// HostKey is the public key of the host daemon that was offered the trunk.
	HostKey KeyID `json:"host_key"`
	// BootID is the BootID of its Hello.
	BootID string `json:"boot_id,omitempty"`
	// ResumeMS is how long a stream of the trunk may wait for another carrier, in
	// milliseconds; 0: not at all.
	ResumeMS int64 `json:"resume_ms,omitempty"`
}

// TicketFailed (edge to client): the host could not, or did not, come.
type TicketFailed struct {
	Trunk  TrunkID `json:"trunk"`
	Reason Reason  `json:"reason"`
}

// Offer (edge to host): dial the edge EdgeID with Label in a ClientHello-shaped
// record and accept, as TLS server, exactly a client with SNI ClientLabel and
// key ClientKey.
type Offer struct {
	Trunk       TrunkID     `json:"trunk"`
	Carrier     CarrierKind `json:"carrier"`
	Label       Label       `json:"label"`
	ClientLabel Label       `json:"client_label"`
	EdgeID      string      `json:"edge_id"`
	ClientKey   KeyID       `json:"client_key"`
	Session     string      `json:"session"`
	Person      PersonInfo  `json:"person"`
	Hostname    string      `json:"hostname"`
	// ResumeMS is as in Ticket.
	ResumeMS int64 `json:"resume_ms,omitempty"`
}

// OfferFailed (host to edge): the offer cannot be met.
type OfferFailed struct {
	Trunk  TrunkID `json:"trunk"`
	Reason Reason  `json:"reason"`
}

// OpenRequest (client to edge) asks for one stream of a trunk, at the same time
// as Open goes to the host on the trunk. Port 0 is the tunnel's only origin.
type OpenRequest struct {
	Trunk  TrunkID  `json:"trunk"`
	Stream StreamID `json:"stream"`
	Trace  TraceID  `json:"trace"`
	Port   uint16   `json:"port,omitempty"`
}

// Grant (edge to host): the stream may be served, and for whom.
type Grant struct {
	Trunk    TrunkID    `json:"trunk"`
	Stream   StreamID   `json:"stream"`
	Session  string     `json:"session"`
	Person   PersonInfo `json:"person"`
	Hostname string     `json:"hostname"`
	Port     uint16     `json:"port,omitempty"`
	Rule     string     `json:"rule"`
	// Resumes is true where the stream is to go on with this trunk: it comes with
	// ATTACH, and a host that does not hold it refuses.
	Resumes bool `json:"resumes,omitempty"`
}

// MaxResume is how many streams one Resume names at most, so that it stays well
// below MaxMessage.
const MaxResume = 256

// Resume (client to edge) asks for streams to go on with a trunk or lane, at the
// same time as ATTACH goes to the host on it. Each is answered like an
// OpenRequest: a Grant to the host, or Denied.
type Resume struct {
	Trunk   TrunkID        `json:"trunk"`
	Streams []ResumeStream `json:"streams"`
}

// ResumeStream is one stream of a Resume; From carried it before.
type ResumeStream struct {
	Stream StreamID `json:"stream"`
	Trace  TraceID  `json:"trace"`
	Port   uint16   `json:"port,omitempty"`
	From   TrunkID  `json:"from"`
}

// Denied (edge to client): the stream may not be opened.
type Denied struct {
	Trunk  TrunkID  `json:"trunk"`
	Stream StreamID `json:"stream"`
	Reason Reason   `json:"reason"`
}

// StreamEnded (either daemon to edge): a stream is over. Bytes are payload as
// this daemon counted it.
type StreamEnded struct {
	Trunk         TrunkID  `json:"trunk"`
	Stream        StreamID `json:"stream"`
	BytesToOrigin uint64   `json:"bytes_to_origin"`
	BytesToClient uint64   `json:"bytes_to_client"`
	// BytesReplayed is how much of it this daemon has sent again.
	BytesReplayed uint64 `json:"bytes_replayed,omitempty"`
	Code          Code   `json:"code"`
}

// ExpireSoon (edge to client) warns before a session's end.
type ExpireSoon struct {
	Session   string    `json:"session"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SessionExtended (edge to client) moves a session's end.
type SessionExtended struct {
	Session   string    `json:"session"`
	ExpiresAt time.Time `json:"expires_at"`
}

// SessionEnded (edge to client): the session is no more; its streams are cut.
type SessionEnded struct {
	Session string `json:"session"`
	Reason  Reason `json:"reason"`
}

// ConnectorEnded (edge to host): the enrolment is no more.
type ConnectorEnded struct {
	Connector string `json:"connector"`
	Reason    Reason `json:"reason"`
}

// Cut (edge to both daemons) ends one stream, or with a zero Stream the whole
// trunk, at once.
type Cut struct {
	Trunk  TrunkID  `json:"trunk"`
	Stream StreamID `json:"stream,omitzero"`
	Reason Reason   `json:"reason"`
}

// CutDone (host to edge) confirms the cut of one stream.
type CutDone struct {
	Trunk  TrunkID  `json:"trunk"`
	Stream StreamID `json:"stream"`
}

// Drain (edge to daemons): the edge leaves at the deadline.
type Drain struct {
	Deadline time.Time `json:"deadline"`
}

// MoveTo (edge to daemons): use this edge of the configured set from now on.
type MoveTo struct {
	EdgeID string `json:"edge_id"`
}

// AppsRequest (client to edge) asks which hostnames the session's person may
// reach; answered by Apps.
type AppsRequest struct {
	Session string `json:"session"`
}

// Apps answers AppsRequest.
type Apps struct {
	Apps []AppInfo `json:"apps"`
}

// AppInfo is one hostname.
type AppInfo struct {
	Hostname string `json:"hostname"`
	Online   bool   `json:"online"`
}
