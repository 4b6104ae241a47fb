package decide

// Meter counts. Its methods are cheap and never block.
type Meter interface {
	// Decision: a ticket or a stream was decided.
	Decision(allow bool)
	// StreamEnded: a granted stream is over, with the code of its end.
	StreamEnded(code string)
	// Resumed: a stream goes on with another trunk, since its own was lost; or it
	// moved to a lane, or from one, that lives.
	Resumed(moved bool)
	// Expired: a stream that could have gone on did not do so in time.
	Expired()
	// Replayed: a daemon says that it sent so many bytes of a stream again.
	Replayed(bytes uint64)
}

// NoMeter counts nothing.
type NoMeter struct{}

// Decision counts nothing, nor does what follows.
func (NoMeter) Decision(bool) {}

// StreamEnded is explained at Decision.
func (NoMeter) StreamEnded(string) {}

// Resumed is explained at Decision.
func (NoMeter) Resumed(bool) {}

// Expired is explained at Decision.
func (NoMeter) Expired() {}

// Replayed is explained at Decision.
func (NoMeter) Replayed(uint64) {}
