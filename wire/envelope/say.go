package envelope

import (
	"errors"
	"time"
)

// Say is a set of what this side has to say beside payload.
type Say uint8

// What may be in it. They are said in the order VERDICT, RST, ACK, FIN.
const (
	SayVerdict Say = 1 << iota
	SayAck
	SayAckAgain // also where there is nothing new to tell
	SayFin
	SayRst
	SayClose // the last: the carrier is closed then
)

// Speak appends the frames of a set. over says that the stream is: then nothing
// new is acknowledged.
func (s *State) Speak(b []byte, set Say, w Words, over bool, rtt time.Duration) []byte {
	if set&SayVerdict != 0 {
		b = AppendVerdict(b, w)
	}
	if set&SayRst != 0 {
		b = AppendRst(b, w)
	}
	if over {
		if set&SayAckAgain != 0 {
			b = AppendAck(b, s.In.Last())
		}
		return b
	}
	if set&SayAckAgain != 0 || set&SayAck != 0 && s.In.Pending() {
		b = AppendAck(b, s.In.Ack(time.Now(), rtt))
	}
	if set&SayFin != 0 && s.Out.FinDue() {
		b = AppendFin(b)
		s.Out.FinSent()
	}
	return b
}

// First appends the first frame of a carrier: OPEN in epoch 0, with the window that
// the host may fill, ATTACH later.
func (s *State) First(b []byte, epoch uint32) []byte {
	if epoch == 0 {
		return AppendAck(AppendOpen(b, Opening{ID: s.ID, Trace: s.Trace}), s.In.Last())
	}
	return AppendAttach(b, s.Attachment(epoch))
}

var errFirstFrame = errors.New("stream begins with another frame than OPEN or ATTACH")

// ParseFirst takes the first frame of a carrier: a is nil where it is OPEN.
func ParseFirst(t Type, body []byte) (o Opening, a *Attachment, err error) {
	switch t {
	case Open:
		o, err = ParseOpen(body)
	case Attach:
		a = new(Attachment)
		*a, err = ParseAttach(body)
		o.ID = a.ID
	default:
		err = errFirstFrame
	}
	return o, a, err
}
