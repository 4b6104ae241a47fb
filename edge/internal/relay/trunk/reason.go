package trunk

import (
	"strings"
	"unicode"

	"github.com/sallyport/sallyport/wire"
)

// denied is what a person without rights hears. A hostname that does not exist
// gives the same text, so that nobody can list what there is; only the contact
// of a policy that names one is added.
func (t *Table) denied(hostname, contact string) *wire.Reason {
	if contact == "" {
		contact = t.administrator()
	}
	return &wire.Reason{
		Code: wire.CodeDenied, Text: Clip(hostname) + " does not exist, or you are not allowed to reach it",
		Hint: "for access ask " + contact,
	}
}

func (t *Table) administrator() string { return "an administrator of " + t.cfg.Settings().Name }

func loginNeeded() *wire.Reason {
	return &wire.Reason{Code: wire.CodeLoginNeeded, Text: "there is no session", Hint: "sallyport login"}
}

func tooMany(text string) *wire.Reason {
	return &wire.Reason{Code: wire.CodeLimit, Text: text, Hint: "try again in a moment"}
}

// Gone is the answer where the trunk that was asked for is gone.
var Gone = &wire.Reason{Code: wire.CodeCarrierLost, Text: "the trunk is gone", Hint: "try again"}

func streamOver() *wire.Reason {
	return &wire.Reason{Code: wire.CodeCarrierLost, Text: "the stream is over", Hint: "connect again"}
}

func noConnector(hostname string) *wire.Reason {
	return &wire.Reason{
		Code: wire.CodeNoConnector, Text: "no host publishes " + Clip(hostname) + " now",
		Hint: "ask who runs it whether its host is up",
	}
}

func hostRestarted() *wire.Reason {
	return &wire.Reason{Code: wire.CodeHostRestarted, Text: "the host's daemon was restarted", Hint: "try again"}
}

func draining() *wire.Reason {
	return &wire.Reason{Code: wire.CodeDraining, Text: "the edge is being stopped", Hint: "it reconnects by itself"}
}

func hostLost() wire.Reason {
	return wire.Reason{Code: wire.CodeConnectorLost, Text: "the host has lost its connection to the edge", Hint: "try again"}
}

func ticketFailed(text string) wire.Reason {
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
