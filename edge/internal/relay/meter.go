package relay

import "github.com/sallyport/sallyport/edge/internal/relay/trunk"

// Meter counts what the relay does. Its methods are cheap and never block.
type Meter interface {
	trunk.Meter
	// Refused: a connection was dropped before it was a link, a trunk or the web.
	Refused(cause string)
	// Login: an attempt came to an end with this outcome.
	Login(outcome string)
}

type noMeter struct{}

func (noMeter) Refused(string)     {}
func (noMeter) Decision(bool)      {}
func (noMeter) Login(string)       {}
func (noMeter) StreamEnded(string) {}
func (noMeter) Resumed()           {}
func (noMeter) Expired()           {}
