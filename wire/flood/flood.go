// Package flood bounds how fast the peer of a link may send messages: two token
// buckets, one for what comes with every stream and one for all else.
//
// Concurrency: a Meter belongs to the link's reader.
package flood

import "time"

// Rates, in messages a second, and what may come at once.
const (
	// StreamRate: a stream has two messages, its request and its end, and a trunk
	// may open 10,000 streams a second.
	StreamRate, StreamBurst = 20_000, 20_000
	// OtherRate is far above use; a client that is back resumes with some hundred.
	OtherRate, OtherBurst = 1_000, 10_000
)

// Meter counts the messages of one link. Its zero value is ready.
type Meter struct{ stream, other bucket }

// Take counts a message; false where it is one too many.
func (m *Meter) Take(ofStream bool, now time.Time) bool {
	if ofStream {
		return m.stream.take(now, StreamRate, StreamBurst)
	}
	return m.other.take(now, OtherRate, OtherBurst)
}

// bucket counts up to a burst and empties with time.
type bucket struct {
	used float64
	at   time.Time
}

func (b *bucket) take(now time.Time, rate, burst float64) bool {
	b.used = max(0, b.used-now.Sub(b.at).Seconds()*rate)
	b.at = now
	b.used++
	return b.used <= burst
}
