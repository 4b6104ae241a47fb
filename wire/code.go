package wire

import "fmt"

// Code is the kind of an end or a refusal, as told across the protocol. Codes
// are stable strings; those that a person meets stand under the same word in
// package api.
type Code string

const (
	CodeOK            Code = "ok"
	CodeDenied        Code = "denied"         // policy; an unknown hostname looks the same
	CodeLoginNeeded   Code = "login-needed"   // no session, or it has ended
	CodeSessionEnded  Code = "session-ended"  // logout, expiry, revocation
	CodeRevoked       Code = "revoked"        // by an administrator
	CodeExpired       Code = "expired"        // by time
	CodeLoggedOut     Code = "logged-out"     // by the person
	CodeNoConnector   Code = "no-connector"   // no host publishes the hostname now
	CodeConnectorLost Code = "connector-lost" // the host's link or trunk went away
	CodeOriginRefused Code = "origin-refused" // nothing listens at the origin
	CodeOriginTimeout Code = "origin-timeout" // the origin did not answer the dial
	CodeOriginError   Code = "origin-error"   // another error of the dial
	CodeNoSuchTunnel  Code = "no-such-tunnel" // the host's own table has no such hostname
	CodeLimit         Code = "limit"          // too many; try later
	CodeDraining      Code = "draining"       // the edge is going away
	CodeTicketFailed  Code = "ticket-failed"  // the two ends did not meet
	CodeGrantTimeout  Code = "grant-timeout"  // the edge's word did not come
	CodeNeverOpened   Code = "never-opened"   // a grant came, its Open did not
	CodeReset         Code = "reset"          // the local or origin socket was reset
	CodeCarrierLost   Code = "carrier-lost"   // what carried the stream died
	CodeClosed        Code = "closed"         // orderly
	CodeProtocol      Code = "protocol"       // a rule of the protocol was broken
	CodeRefused       Code = "refused"        // login: by the person or the provider
	CodeAbandoned     Code = "abandoned"      // login: nobody acted
	CodeInvalid       Code = "invalid"        // a request that makes no sense
	CodeNotEnrolled   Code = "not-enrolled"   // this key is no connector
	CodeHostnameTaken Code = "hostname-taken" // claimed by another connector group
	CodeOutOfScope    Code = "out-of-scope"   // the connector may not serve this hostname
	CodeBadToken      Code = "bad-token"      // join or session token
	CodeHostKey       Code = "host-key"       // the host's key is not the one expected
	CodeAppRemoved    Code = "app-removed"    // an administrator removed the app
	CodeHostRestarted Code = "host-restarted" // the host daemon restarted
	CodeKeyCopied     Code = "key-copied"     // an old session token was shown
	CodeInternal      Code = "internal"       // a fault of the side that says it
)

// Reason is a refusal or an end with its words. It travels in messages and
// verdicts and is an error at whoever receives it.
type Reason struct {
	Code Code `json:"code"`
	// Text is why, one sentence for a person, without a period.
	Text string `json:"text,omitempty"`
	// Hint is the next step.
	Hint string `json:"hint,omitempty"`
}

// Error gives code and text.
func (r *Reason) Error() string {
	if r.Text == "" {
		return string(r.Code)
	}
	return fmt.Sprintf("%s: %s", r.Code, r.Text)
}

// Is makes errors.Is(err, &Reason{Code: c}) compare codes.
func (r *Reason) Is(target error) bool {
	t, ok := target.(*Reason)
	return ok && t.Code == r.Code
}
