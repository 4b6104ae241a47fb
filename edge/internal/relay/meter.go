package relay

import "github.com/sallyport/sallyport/edge/internal/relay/decide"

// Meter counts what the relay does. Its methods are cheap and never block.
type Meter interface {
	decide.Meter
	// Refused: a connection was dropped before it was a link, a trunk or the web.
	Refused(cause string)
	// Login: an attempt came to an end with this outcome.
	Login(outcome string)
}

type noMeter struct{ decide.NoMeter }

func (noMeter) Refused(string) {}
func (noMeter) Login(string)   {}
