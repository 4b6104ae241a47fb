package api

import "fmt"

// Code names the kind of a problem. Codes are stable; texts are not.
type Code string

const (
	CodeInvalid        Code = "invalid"          // bad input; Field says which
	CodeNotFound       Code = "not-found"        // no such object for this caller
	CodeConflict       Code = "conflict"         // it exists already, or is in use
	CodePermission     Code = "not-permitted"    // not this OS user
	CodeInternal       Code = "internal"         // a fault of ours
	CodeNoEdge         Code = "no-edge"          // no edge chosen
	CodeEdgeUnresolved Code = "edge-unresolved"  // its name does not resolve
	CodeEdgeRefused    Code = "edge-refused"     // nothing listens there
	CodeEdgeTimeout    Code = "edge-timeout"     // no answer: egress blocked?
	CodeEdgeUnreached  Code = "edge-unreachable" // no route, reset, ...
	CodeEdgeUntrusted  Code = "edge-untrusted"   // certificate not trusted
	CodeEdgeProtocol   Code = "edge-protocol"    // something else answers there
	CodeProxy          Code = "proxy-failed"     // the proxy on the way to it
	CodeClockWrong     Code = "clock-wrong"      // this machine's clock is off
	CodeLoginNeeded    Code = "login-needed"
	CodeLoginRefused   Code = "login-refused"
	CodeLoginExpired   Code = "login-expired"
	CodeLoginAbandoned Code = "login-abandoned"
	CodeLoginMode      Code = "login-mode" // the edge takes logins of the other mode
	CodeSessionEnded   Code = "session-ended"
	CodeDenied         Code = "denied"         // policy
	CodeNoConnector    Code = "no-connector"   // no host publishes it now
	CodeConnectorLost  Code = "connector-lost" // the host went away
	CodeOriginRefused  Code = "origin-refused"
	CodeOriginTimeout  Code = "origin-timeout"
	CodeOriginError    Code = "origin-error"
	CodeLimit          Code = "limit"
	CodeDraining       Code = "draining"
	CodePortTaken      Code = "port-taken"
	CodeNotEnrolled    Code = "not-enrolled"
	CodeHostnameTaken  Code = "hostname-taken"
	CodeNoApp          Code = "no-app" // of a published tunnel: the edge admits nobody to it yet
	CodeRevoked        Code = "revoked"
	CodeDaemonDown     Code = "daemon-unreachable" // made by the client
	CodeDatabaseLocked Code = "database-locked"
	CodeUnsupported    Code = "unsupported"
)

// Problem is an error as the API tells it: application/problem+json (RFC 9457).
// A person sees what, why and the next step.
type Problem struct {
	// Type is "about:blank"; Code is the machine's word.
	Type string `json:"type,omitempty"`
	Code Code   `json:"code"`
	// Title is what happened, one short line without a period.
	Title string `json:"title"`
	// Detail is why, for this occurrence.
	Detail string `json:"detail,omitempty"`
	// Hint is the next step, often a command.
	Hint string `json:"hint,omitempty"`
	// Field is the name of the input field at fault.
	Field string `json:"field,omitempty"`
	// Status is the HTTP status, 0 outside an answer.
	Status int `json:"status,omitempty"`
}

// Error gives title and detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return fmt.Sprintf("%s: %s", p.Title, p.Detail)
}
