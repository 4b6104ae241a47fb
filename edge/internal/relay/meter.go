package relay

// Meter counts what the relay does. Its methods are cheap and never block.
type Meter interface {
	// Refused: a connection was dropped before it was a link, a trunk or the web.
	Refused(cause string)
	// Decision: a ticket or a stream was decided.
	Decision(allow bool)
	// Login: an attempt came to an end with this outcome.
	Login(outcome string)
	// StreamEnded: a granted stream is over, with the code of its end.
	StreamEnded(code string)
	// Resumed: a stream goes on with another trunk.
	Resumed()
	// Expired: a stream that could have gone on did not do so in time.
	Expired()
}

type noMeter struct{}

func (noMeter) Refused(string)     {}
func (noMeter) Decision(bool)      {}
func (noMeter) Login(string)       {}
func (noMeter) StreamEnded(string) {}
func (noMeter) Resumed()           {}
func (noMeter) Expired()           {}
