package metrics

import "github.com/sallyport/sallyport/wire"

// known are the codes by which a stream ends.
var known = map[string]bool{
	string(wire.CodeOK): true, string(wire.CodeClosed): true, string(wire.CodeReset): true,
	string(wire.CodeDenied): true, string(wire.CodeLoginNeeded): true, string(wire.CodeSessionEnded): true,
	string(wire.CodeRevoked): true, string(wire.CodeExpired): true, string(wire.CodeLoggedOut): true,
	string(wire.CodeNoConnector): true, string(wire.CodeConnectorLost): true, string(wire.CodeNoSuchTunnel): true,
	string(wire.CodeOriginRefused): true, string(wire.CodeOriginTimeout): true, string(wire.CodeOriginError): true,
	string(wire.CodeLimit): true, string(wire.CodeDraining): true, string(wire.CodeGrantTimeout): true,
	string(wire.CodeCarrierLost): true, string(wire.CodeProtocol): true, string(wire.CodeAppRemoved): true,
	string(wire.CodeHostRestarted): true, string(wire.CodeKeyCopied): true, string(wire.CodeInternal): true,
}
