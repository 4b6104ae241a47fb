package dial

import (
	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

// words are what a person is told of a reason.
type words struct {
	code  api.Code
	title string
	hint  string
}

const (
	hintLogin  = "Sign in: sallyport login"
	hintAgain  = "Try again in a moment."
	hintOrigin = "The service behind the hostname is down, or the host's tunnel points elsewhere. Tell who runs it."
	hintHost   = "The host that publishes it is offline. Tell who runs it, or try again later."
)

var reasons = map[wire.Code]words{
	wire.CodeDenied:        {api.CodeDenied, "Not allowed", "Ask an administrator for access. `sallyport apps` lists what you may reach."},
	wire.CodeLoginNeeded:   {api.CodeLoginNeeded, "Signed out", hintLogin},
	wire.CodeSessionEnded:  {api.CodeSessionEnded, "The session has ended", hintLogin},
	wire.CodeExpired:       {api.CodeSessionEnded, "The session has expired", hintLogin},
	wire.CodeLoggedOut:     {api.CodeSessionEnded, "Signed out", hintLogin},
	wire.CodeRevoked:       {api.CodeRevoked, "Revoked by an administrator", "Ask an administrator why, then sign in again: sallyport login"},
	wire.CodeKeyCopied:     {api.CodeSessionEnded, "The session was ended: an old copy of its token was shown", hintLogin + ". If you did not restore a backup, tell an administrator."},
	wire.CodeBadToken:      {api.CodeInvalid, "The code or token is not valid", "Check it for typing errors, or ask for a new one."},
	wire.CodeLoginMode:     {api.CodeLoginMode, "The edge takes another kind of sign-in", hintLogin},
	wire.CodeRefused:       {api.CodeLoginRefused, "The login was refused", hintLogin},
	wire.CodeAbandoned:     {api.CodeLoginAbandoned, "The login was abandoned", hintLogin},
	wire.CodeNoConnector:   {api.CodeNoConnector, "No host serves this hostname now", hintHost},
	wire.CodeConnectorLost: {api.CodeConnectorLost, "The host went away", hintHost},
	wire.CodeHostRestarted: {api.CodeConnectorLost, "The host restarted", hintAgain},
	wire.CodeCarrierLost:   {api.CodeConnectorLost, "The connection to the host was lost", hintAgain},
	wire.CodeTicketFailed:  {api.CodeConnectorLost, "The host could not be met", hintAgain},
	wire.CodeGrantTimeout:  {api.CodeConnectorLost, "The host heard nothing from the edge", hintAgain},
	wire.CodeOriginRefused: {api.CodeOriginRefused, "The service refused the connection", hintOrigin},
	wire.CodeOriginTimeout: {api.CodeOriginTimeout, "The service does not answer", hintOrigin},
	wire.CodeOriginError:   {api.CodeOriginError, "The host cannot reach the service", hintOrigin},
	wire.CodeNoSuchTunnel:  {api.CodeNoConnector, "The host no longer publishes this hostname", hintHost},
	wire.CodeNoApp:         {api.CodeNoApp, "Nobody is allowed to reach it yet", "At the edge: sallyport-edge app add HOSTNAME --allow WHO"},
	wire.CodeAppRemoved:    {api.CodeDenied, "The app was removed by an administrator", "Ask an administrator."},
	wire.CodeLimit:         {api.CodeLimit, "Too many at once", hintAgain},
	wire.CodeDraining:      {api.CodeDraining, "The edge is going away", hintAgain},
	wire.CodeHostKey:       {api.CodeEdgeUntrusted, "The host's key is not the one expected", "Someone may stand in the middle. Tell an administrator."},
	wire.CodeNotEnrolled:   {api.CodeNotEnrolled, "This machine is not enrolled as a host", "Enrol it: sallyport tunnel login"},
	wire.CodeHostnameTaken: {api.CodeHostnameTaken, "Another host has this hostname", "Choose another hostname, or revoke the other connector at the edge."},
	wire.CodeOutOfScope:    {api.CodePermission, "This host may not serve the hostname", "Enrol it for the hostname: sallyport tunnel login"},
	wire.CodeInvalid:       {api.CodeInvalid, "The edge did not accept the request", ""},
	wire.CodeProtocol:      {api.CodeEdgeProtocol, "A rule of the protocol was broken", "Are daemon and edge of fitting versions?"},
	wire.CodeReset:         {api.CodeOriginError, "The service reset the connection", ""},
}

// Reason puts a refusal or an end in words. The edge's own text and hint win.
func Reason(r wire.Reason) *api.Problem {
	w, ok := reasons[r.Code]
	if !ok {
		w = words{api.CodeInternal, "An unexpected end: " + string(r.Code), "Look at the log."}
	}
	p := &api.Problem{Code: w.code, Title: w.title, Detail: r.Text, Hint: w.hint}
	if r.Hint != "" {
		p.Hint = r.Hint
	}
	return p
}
