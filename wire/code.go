package wire

import "github.com/sallyport/sallyport/wire/reason"

// Code is the kind of an end or a refusal, as told across the protocol. Codes are
// stable strings; those that a person meets stand under the same word in package api.
type Code = reason.Code

const (
	CodeOK            Code = reason.OK
	CodeDenied        Code = "denied"           // policy; an unknown hostname looks the same
	CodeLoginNeeded   Code = "login-needed"     // no session, or it has ended
	CodeSessionEnded  Code = "session-ended"    // logout, expiry, revocation
	CodeRevoked       Code = "revoked"          // by an administrator
	CodeExpired       Code = "expired"          // by time
	CodeLoggedOut     Code = "logged-out"       // by the person
	CodeNoConnector   Code = "no-connector"     // no host publishes the hostname now
	CodeConnectorLost Code = "connector-lost"   // the host's link or trunk went away
	CodeOriginRefused Code = "origin-refused"   // nothing listens at the origin
	CodeOriginTimeout Code = "origin-timeout"   // the origin did not answer the dial
	CodeOriginError   Code = "origin-error"     // another error of the dial
	CodeNoSuchTunnel  Code = "no-such-tunnel"   // the host's own table has no such hostname
	CodeLimit         Code = reason.Limit       // too many; try later
	CodeDraining      Code = "draining"         // the edge is going away
	CodeTicketFailed  Code = "ticket-failed"    // the two ends did not meet
	CodeGrantTimeout  Code = "grant-timeout"    // the edge's word did not come
	CodeNeverOpened   Code = "never-opened"     // a grant came, its Open did not
	CodeReset         Code = reason.Reset       // the local or origin socket was reset
	CodeCarrierLost   Code = reason.CarrierLost // what carried the stream died
	CodeClosed        Code = reason.Closed      // orderly
	CodeProtocol      Code = reason.Protocol    // a rule of the protocol was broken
	CodeRefused       Code = "refused"          // login: by the person or the provider
	CodeAbandoned     Code = "abandoned"        // login: nobody acted
	CodeLoginMode     Code = "login-mode"       // login: the edge takes those of another mode
	CodeInvalid       Code = "invalid"          // a request that makes no sense
	CodeNotEnrolled   Code = "not-enrolled"     // this key is no connector
	CodeHostnameTaken Code = "hostname-taken"   // claimed by another connector group
	CodeOutOfScope    Code = "out-of-scope"     // the connector may not serve this hostname
	CodeBadToken      Code = "bad-token"        // join or session token
	CodeHostKey       Code = "host-key"         // the host's key is not the one expected
	CodeNoApp         Code = "no-app"           // routed, but no app of the edge admits anybody
	CodeAppRemoved    Code = "app-removed"      // an administrator removed the app
	CodeHostRestarted Code = "host-restarted"   // the host daemon restarted
	CodeKeyCopied     Code = "key-copied"       // an old session token was shown
	CodeInternal      Code = "internal"         // a fault of the side that says it
)

// Reason is a refusal or an end with its words. It travels in messages and verdicts and
// is an error at whoever receives it; errors.Is(err, &Reason{Code: c}) compares codes.
type Reason = reason.Reason
