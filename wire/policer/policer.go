// Package policer watches the yamux frames of a trunk and says when the other
// end breaks the profile: it enforces what yamux itself does not.
//
// Shapes: a Policer is shown the headers of the frames that come in (In) and of
// those that go out (Out), and answers with a Violation where a Limit is passed. It
// knows no connection and no clock.
//
// Units and limits: Limits, whose defaults stand in docs/protocol.md.
//
// Errors: a *Violation, which names the rule; the trunk ends with it.
//
// Concurrency: all methods may be called from any goroutine.
//
// Source: docs/protocol.md, rule 17.
package policer

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"
)

// HeaderSize is the size of a yamux frame's header: version 1, type 1, flags 2,
// stream id 4, length 4, big-endian.
const HeaderSize = 12

// Types and flags of yamux frames.
const (
	TypeData         = 0
	TypeWindowUpdate = 1
	TypePing         = 2
	TypeGoAway       = 3

	FlagSYN = 1 << 0
	FlagACK = 1 << 1
	FlagFIN = 1 << 2
	FlagRST = 1 << 3
)

// Header is a frame's header.
type Header struct {
	Version uint8
	Type    uint8
	Flags   uint16
	Stream  uint32
	Length  uint32
}

// ParseHeader takes a header apart. Every value parses; In judges them.
func ParseHeader(b [HeaderSize]byte) Header {
	return Header{
		Version: b[0], Type: b[1], Flags: binary.BigEndian.Uint16(b[2:]),
		Stream: binary.BigEndian.Uint32(b[4:]), Length: binary.BigEndian.Uint32(b[8:]),
	}
}

// Append appends the header's bytes.
func (h Header) Append(b []byte) []byte {
	b = append(b, h.Version, h.Type)
	b = binary.BigEndian.AppendUint16(b, h.Flags)
	b = binary.BigEndian.AppendUint32(b, h.Stream)
	return binary.BigEndian.AppendUint32(b, h.Length)
}

// Body is how many bytes follow the header.
func (h Header) Body() int {
	if h.Type == TypeData {
		return int(h.Length)
	}
	return 0
}

// Rule names what was broken.
type Rule string

// The rules.
const (
	RuleFrame   Rule = "frame"        // malformed: version, type, flags
	RuleLength  Rule = "frame-length" // a frame that is too long, or empty for nothing
	RuleParity  Rule = "stream-id"    // a stream id that the peer may not open
	RuleTwice   Rule = "duplicate-id" // a stream opened or closed twice
	RuleStreams Rule = "live-streams" // too many streams at once
	RuleOpens   Rule = "open-rate"    // streams opened too quickly
	RulePings   Rule = "ping-rate"    // pings too often
	RuleControl Rule = "control-rate" // control frames too often
	RuleUnknown Rule = "unknown-ids"  // frames for streams that are not there
)

// Violation is a broken rule.
type Violation struct {
	Rule  Rule
	Frame Header
}

// Error names the rule and the frame.
func (v *Violation) Error() string {
	return fmt.Sprintf("peer breaks rule %s (frame type %d, flags %#x, stream %d, length %d)",
		v.Rule, v.Frame.Type, v.Frame.Flags, v.Frame.Stream, v.Frame.Length)
}

// Rate is so many a second, with a burst.
type Rate struct{ PerSecond, Burst float64 }

// Limits are the numbers that the rules compare with.
type Limits struct {
	MaxFrame   int // bytes of one data frame
	MaxStreams int // streams that are not closed by both ends
	Opens      Rate
	Pings      Rate
	Control    Rate // window updates, closes, go-aways, and what answers pings
	Unknown    Rate
}

// Policer watches one trunk from one end.
type Policer struct {
	host   bool
	limits Limits

	mu      sync.Mutex
	streams map[uint32]state
	top     uint32 // the highest id that was opened

	opens, pings, control, unknown bucket

	pong func(value uint32, now time.Time)
}

// state of a stream: which closes were seen.
type state uint8

const (
	closedIn state = 1 << iota
	closedOut
	ackedIn
)

// New makes a policer. host says which end this is: the host is the yamux
// server, its peer opens streams with odd ids; a client's peer opens none. pong
// (may be nil) is told each answer to a ping.
func New(host bool, l Limits, pong func(value uint32, now time.Time)) *Policer {
	return &Policer{host: host, limits: l, streams: make(map[uint32]state), pong: pong}
}

// In takes the header of a frame that came from the peer, before yamux gets it.
func (p *Policer) In(h Header, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if rule := p.judgeLocked(h, now); rule != "" {
		return &Violation{rule, h}
	}
	return nil
}

// Out takes the header of a frame that goes to the peer.
func (p *Policer) Out(h Header) {
	if h.Type > TypeWindowUpdate || h.Flags == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if h.Flags&FlagSYN != 0 && !p.host {
		p.streams[h.Stream] = 0
		p.top = max(p.top, h.Stream)
	}
	p.closeLocked(h, closedOut)
}

// Live is how many streams are not closed by both ends.
func (p *Policer) Live() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.streams)
}

// judgeLocked gives the rule that the frame breaks, or "".
func (p *Policer) judgeLocked(h Header, now time.Time) Rule {
	switch {
	case h.Version != 0 || h.Type > TypeGoAway || h.Flags > FlagSYN|FlagACK|FlagFIN|FlagRST:
		return RuleFrame
	case h.Type == TypePing:
		return p.judgePing(h, now)
	case h.Type == TypeGoAway:
		if h.Stream != 0 {
			return RuleFrame
		}
		return p.allow(&p.control, p.limits.Control, now, RuleControl)
	}
	if h.Type == TypeData {
		if int64(h.Length) > int64(p.limits.MaxFrame) || h.Length == 0 && h.Flags == 0 {
			return RuleLength
		}
	}
	if h.Type == TypeWindowUpdate || h.Length == 0 {
		if rule := p.allow(&p.control, p.limits.Control, now, RuleControl); rule != "" {
			return rule
		}
	}
	if h.Flags&FlagSYN != 0 {
		if rule := p.judgeOpen(h, now); rule != "" {
			return rule
		}
	}
	return p.judgeStream(h, now)
}

func (p *Policer) judgePing(h Header, now time.Time) Rule {
	if h.Stream != 0 || h.Flags != FlagSYN && h.Flags != FlagACK {
		return RuleFrame
	}
	if h.Flags == FlagSYN {
		return p.allow(&p.pings, p.limits.Pings, now, RulePings)
	}
	if p.pong != nil {
		p.pong(h.Length, now)
	}
	return p.allow(&p.control, p.limits.Control, now, RuleControl)
}

// judgeOpen: only the client opens streams, with odd ids that go up, so that
// no id comes twice.
func (p *Policer) judgeOpen(h Header, now time.Time) Rule {
	switch {
	case !p.host || h.Stream%2 != 1 || h.Flags&(FlagACK|FlagRST) != 0:
		return RuleParity
	case h.Stream <= p.top:
		return RuleTwice
	case len(p.streams) >= p.limits.MaxStreams:
		return RuleStreams
	}
	p.top = h.Stream
	p.streams[h.Stream] = 0
	return p.allow(&p.opens, p.limits.Opens, now, RuleOpens)
}

// judgeStream looks at a frame that belongs to a stream.
func (p *Policer) judgeStream(h Header, now time.Time) Rule {
	st, ok := p.streams[h.Stream]
	if !ok {
		if h.Stream == 0 || h.Stream%2 != 1 || h.Stream > p.top {
			return RuleParity // it was never opened
		}
		return p.allow(&p.unknown, p.limits.Unknown, now, RuleUnknown)
	}
	if st&closedIn != 0 && (h.Type == TypeData || h.Flags&FlagFIN != 0) {
		return RuleTwice
	}
	if h.Flags&FlagACK != 0 {
		if p.host || st&ackedIn != 0 {
			return RuleTwice
		}
		p.streams[h.Stream] = st | ackedIn
	}
	p.closeLocked(h, closedIn)
	return ""
}

func (p *Policer) closeLocked(h Header, side state) {
	st, ok := p.streams[h.Stream]
	if !ok || h.Flags&(FlagFIN|FlagRST) == 0 {
		return
	}
	st |= side
	if h.Flags&FlagRST != 0 || st&(closedIn|closedOut) == closedIn|closedOut {
		delete(p.streams, h.Stream)
		return
	}
	p.streams[h.Stream] = st
}

func (p *Policer) allow(b *bucket, r Rate, now time.Time, rule Rule) Rule {
	if b.take(r, now) {
		return ""
	}
	return rule
}

// bucket counts down from a burst and fills up with time.
type bucket struct {
	used float64
	at   time.Time
}

func (b *bucket) take(r Rate, now time.Time) bool {
	b.used = max(0, b.used-now.Sub(b.at).Seconds()*r.PerSecond)
	b.at = now
	if b.used+1 > r.Burst {
		return false
	}
	b.used++
	return true
}
