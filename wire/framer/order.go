package framer

import "time"

const (
	// expressFrame is the size up to which a frame may overtake.
	expressFrame = 2 << 10
	// maxExpress bounds what overtakes at a time: on a slow carrier it is all that
	// an opening stream finds in front of it.
	maxExpress = 64 << 10
	// expressShare is what a stream may send by overtaking: so much at once, and
	// then the carrier's rate by expressPart, or so much a second on a slow one.
	expressShare = 16 << 10
	expressPart  = 16
)

// order decides which frames overtake: small ones of streams that send little.
// Without it an opening stream waits behind a frame of every stream that sends
// bulk, which on a slow carrier takes many seconds. Frames of one stream never
// overtake each other. Guarded by Framer.mu.
type order struct {
	express []byte // whole frames, to be written before everything else
	round   uint32 // counts how often Framer.queue was taken
	// recent are the streams that sent lately; swept when it has doubled.
	recent map[uint32]share
	sweep  int
}

// share is what a stream has sent of late.
type share struct {
	used   float64 // bytes, running out with time
	at     time.Duration
	queued uint32 // the round in whose queue it has a frame, plus one; 0: in none
}

// overtakes says whether a frame of n bytes of a stream goes first, and counts
// it. rate is the carrier's, bytes a second, 0 where nothing holds it up.
func (o *order) overtakes(stream uint32, n int, now time.Duration, rate float64) bool {
	if stream == 0 {
		return true
	}
	s := o.recent[stream]
	may := n <= expressFrame && len(o.express)+n <= maxExpress && s.queued != o.round+1
	if rate == 0 {
		return may
	}
	s.used = max(0, s.used-max(expressShare, rate/expressPart)*(now-s.at).Seconds()) + float64(n)
	s.at = now
	o.note(stream, s, now)
	return may && s.used <= expressShare
}

// queued notes that a stream has a frame in the queue of this round: what comes
// next of it may not overtake.
func (o *order) queued(stream uint32, now time.Duration) {
	s := o.recent[stream]
	s.queued = o.round + 1
	if s.at == 0 {
		s.at = now
	}
	o.note(stream, s, now)
}

// note keeps a share, and forgets those that have run out.
func (o *order) note(stream uint32, s share, now time.Duration) {
	if o.recent == nil {
		o.recent = make(map[uint32]share)
	}
	o.recent[stream] = s
	if len(o.recent) < max(o.sweep, 64) {
		return
	}
	for id, s := range o.recent {
		if s.queued != o.round+1 && s.used <= expressShare*(now-s.at).Seconds() {
			delete(o.recent, id)
		}
	}
	o.sweep = 2 * len(o.recent)
}
