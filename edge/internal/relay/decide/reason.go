// Package decide says whether a session may reach an app, and which host serves
// it; and it has the reasons that a person hears.
//
// Errors: refusals are *wire.Reason.
//
// Concurrency: all methods may be called from any goroutine; nothing blocks.
package decide

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"

	"github.com/sallyport/sallyport/wire"
)

// Denied is what a person without rights hears. A hostname that does not exist
// gives the same text, so that nobody can list what there is; only the contact
// of a policy that names one is added.
func (d *Decider) Denied(hostname, contact string) *wire.Reason {
	if contact == "" {
		contact = d.Administrator()
	}
	return &wire.Reason{
		Code: wire.CodeDenied, Text: Clip(hostname) + " does not exist, or you are not allowed to reach it",
		Hint: "for access ask " + contact,
	}
}

// Administrator is whom a person may ask.
func (d *Decider) Administrator() string { return "an administrator of " + d.Settings().Name }

// LoginNeeded: the session is not, or no longer, there.
func LoginNeeded() *wire.Reason {
	return &wire.Reason{Code: wire.CodeLoginNeeded, Text: "there is no session", Hint: "sallyport login"}
}

// TooMany is a limit.
func TooMany(text string) *wire.Reason {
	return &wire.Reason{Code: wire.CodeLimit, Text: text, Hint: "try again in a moment"}
}

// Gone is the answer where the trunk that was asked for is gone.
var Gone = &wire.Reason{Code: wire.CodeCarrierLost, Text: "the trunk is gone", Hint: "try again"}

// StreamOver: a daemon speaks of a stream that is over.
func StreamOver() *wire.Reason {
	return &wire.Reason{Code: wire.CodeCarrierLost, Text: "the stream is over", Hint: "connect again"}
}

// NoConnector: no host serves the hostname now.
func NoConnector(hostname string) *wire.Reason {
	return &wire.Reason{
		Code: wire.CodeNoConnector, Text: "no host publishes " + Clip(hostname) + " now",
		Hint: "ask who runs it whether its host is up",
	}
}

// HostRestarted: what the process before held is lost.
func HostRestarted() *wire.Reason {
	return &wire.Reason{Code: wire.CodeHostRestarted, Text: "the host's daemon was restarted", Hint: "try again"}
}

// Draining: the edge is going away.
func Draining() *wire.Reason {
	return &wire.Reason{Code: wire.CodeDraining, Text: "the edge is being stopped", Hint: "it reconnects by itself"}
}

// HostLost ends a trunk that was without its host's link for too long.
func HostLost() wire.Reason {
	return wire.Reason{Code: wire.CodeConnectorLost, Text: "the host has lost its connection to the edge", Hint: "try again"}
}

// TicketFailed: the two ends did not meet.
func TicketFailed(text string) wire.Reason {
	return wire.Reason{Code: wire.CodeTicketFailed, Text: text, Hint: "try again"}
}

// Internal is what a peer hears of a fault of ours; the log says more.
func Internal() *wire.Reason {
	return &wire.Reason{Code: wire.CodeInternal, Text: "the edge has a fault", Hint: "try again; its log says more"}
}

// Clip bounds what a peer says before it is kept, logged or told to others.
func Clip(s string) string {
	const most = 300
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s[:min(len(s), most)])
	return strings.ToValidUTF8(s, "")
}

// Passing says whether what keeps a stream from going on may be over soon.
func Passing(why *wire.Reason) bool {
	switch why.Code {
	case wire.CodeNoConnector, wire.CodeLimit, wire.CodeDraining, wire.CodeInternal:
		return true
	}
	return false
}

// Over is why a stream has ended, so that nobody tries again: of a code that says so
// the words are left.
func Over(why *wire.Reason) *wire.Reason {
	over := *why
	lost := why.Code == wire.CodeCarrierLost || why.Code == wire.CodeConnectorLost || why.Code == wire.CodeTicketFailed
	if lost || Passing(why) {
		over.Code = wire.CodeClosed
	}
	return &over
}

// CalledOver has a host end what its client calls over.
func CalledOver() wire.Reason {
	return wire.Reason{Code: wire.CodeClosed, Text: "the other daemon says that the stream is over"}
}

// UsedBefore: a stream id is not, or not any more, this client's to use.
func UsedBefore() *wire.Reason {
	return &wire.Reason{Code: wire.CodeProtocol, Text: "the stream id was used before"}
}

// ConnectorRevoked ends what a host served.
func (d *Decider) ConnectorRevoked() wire.Reason {
	return wire.Reason{
		Code: wire.CodeConnectorLost, Text: "the host is no longer allowed to publish this app",
		Hint: "ask " + d.Administrator(),
	}
}

// AppRemoved ends what was open to an app.
func (d *Decider) AppRemoved(hostname string) wire.Reason {
	return wire.Reason{
		Code: wire.CodeAppRemoved, Text: "an administrator has removed " + hostname,
		Hint: "ask " + d.Administrator(),
	}
}

// TooLarge: an answer does not fit into a message.
func TooLarge() *wire.Reason {
	return &wire.Reason{
		Code: wire.CodeLimit, Text: fmt.Sprintf("the answer is larger than a message of %d KiB", wire.MaxMessage>>10),
		Hint: "ask for less: fewer hostnames on one host, or shorter ones",
	}
}

// NoLonger ends what a change of the policy, or of a person's groups, forbids.
func (d *Decider) NoLonger() wire.Reason {
	return wire.Reason{
		Code: wire.CodeDenied, Text: "you are no longer allowed to reach this app",
		Hint: "for access ask " + d.Administrator(),
	}
}

// NoApp is the note for a hostname that is routed, but for which there is no app.
func NoApp(hostname string) *wire.Reason {
	return &wire.Reason{Code: wire.CodeNoApp, Text: "the edge has no app " + hostname,
		Hint: "At the edge: sallyport-edge app add " + hostname + " --allow WHO"}
}

// Short is a reason without its words, nil for nil.
func Short(why *wire.Reason) *wire.Reason {
	if why == nil {
		return nil
	}
	return &wire.Reason{Code: why.Code}
}

// Carrier is what a ticket is asked for.
func Carrier(m *wire.TicketRequest) (wire.CarrierKind, *wire.Reason) {
	switch kind := cmp.Or(m.Carrier, wire.CarrierTrunk); {
	case kind != wire.CarrierTrunk && kind != wire.CarrierLane:
		return "", &wire.Reason{Code: wire.CodeInvalid, Text: "this edge joins trunks and lanes only"}
	case kind == wire.CarrierLane && m.Host == nil:
		return "", &wire.Reason{Code: wire.CodeInvalid, Text: "a lane is for a stream that a host has: the request names none"}
	default:
		return kind, nil
	}
}

// NotOnALane refuses a stream that is to begin on a lane.
func NotOnALane() *wire.Reason {
	return &wire.Reason{Code: wire.CodeProtocol, Text: "no stream begins on a lane"}
}

// OfHost says whether a client that says so of a stream means that the host may be at
// fault. Of a carrier that was lost nobody knows whose fault it was: another host is
// worth a try.
func OfHost(c wire.Code) bool {
	switch c {
	case wire.CodeProtocol, wire.CodeConnectorLost, wire.CodeCarrierLost, wire.CodeGrantTimeout, wire.CodeNoSuchTunnel, wire.CodeInternal:
		return true
	}
	return false
}
