package envelope

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Type is the kind of a frame.
type Type uint8

// The frames. Numbers are never used again.
const (
	Open    Type = 1 // the first frame of a stream: its id and trace
	Verdict Type = 2 // the host's word: ok, or why not
	Data    Type = 3 // payload
	Ack     Type = 4 // what was delivered, and how far the peer may send
	Fin     Type = 5 // no more payload from this side
	Rst     Type = 6 // the end of both directions, and why
	Attach  Type = 7 // the first frame of a stream on a further carrier
)

// Sizes of frames in bytes.
const (
	// HeaderSize is type (1) and length (3, big-endian).
	HeaderSize = 4
	// AckSize is a whole ACK frame.
	AckSize = HeaderSize + 16
	// Prefix is what the carrier puts in front of frames: yamux's header.
	Prefix = 12
	// Headroom in front of payload takes the prefix, an ACK and the header of
	// DATA, so that all of it and the payload are one write.
	Headroom = Prefix + AckSize + HeaderSize
	// MaxWrite is the most that goes to a carrier at once: with the prefix it
	// fills four TLS records of 16 KiB.
	MaxWrite = 64<<10 - Prefix
	// MaxPayload is the most that one DATA frame carries.
	MaxPayload = 64<<10 - Headroom
	// maxWords bounds VERDICT and RST, maxFixed the frames that may get
	// further fields.
	maxWords = 4 << 10
	maxFixed = 256

	openSize   = 16 + 8
	ackBody    = 16
	attachSize = 16 + 4 + 8 + 1
)

// Errors of decoding.
var (
	ErrType   = errors.New("unknown frame type")
	ErrLength = errors.New("frame length out of bounds")
	ErrWords  = errors.New("malformed words")
)

// Opening is the body of OPEN.
type Opening struct {
	ID    [16]byte
	Trace [8]byte
}

// Acking is the body of ACK. Delivered is how many positions the local socket
// has accepted, Limit the position that the peer may not pass.
type Acking struct{ Delivered, Limit uint64 }

// Words are the body of VERDICT and RST.
type Words struct{ Code, Text, Hint string }

// Attachment is the body of ATTACH.
type Attachment struct {
	ID    [16]byte
	Epoch uint32
	// Received is how many payload bytes came, delivered or not.
	Received uint64
	// FinSeen says that the peer's FIN came.
	FinSeen bool
}

// bounds of a frame's length by its type.
var bounds = [...]struct{ min, max int }{
	Open:    {openSize, maxFixed},
	Verdict: {3, maxWords},
	Data:    {1, MaxPayload},
	Ack:     {ackBody, maxFixed},
	Fin:     {0, maxFixed},
	Rst:     {3, maxWords},
	Attach:  {attachSize, maxFixed},
}

// ParseHeader takes a frame's header. The length is within the type's bounds.
func ParseHeader(b [HeaderSize]byte) (Type, int, error) {
	t, n := Type(b[0]), int(b[1])<<16|int(b[2])<<8|int(b[3])
	if t < Open || t > Attach {
		return 0, 0, fmt.Errorf("frame of type %d: %w", t, ErrType)
	}
	if n < bounds[t].min || n > bounds[t].max {
		return 0, 0, fmt.Errorf("frame of type %d with %d bytes: %w", t, n, ErrLength)
	}
	return t, n, nil
}

func appendHeader(b []byte, t Type, n int) []byte {
	return append(b, byte(t), byte(n>>16), byte(n>>8), byte(n))
}

// AppendOpen appends an OPEN frame.
func AppendOpen(b []byte, o Opening) []byte {
	b = appendHeader(b, Open, openSize)
	b = append(b, o.ID[:]...)
	return append(b, o.Trace[:]...)
}

// ParseOpen takes the body of OPEN.
func ParseOpen(b []byte) (o Opening, err error) {
	if len(b) < openSize {
		return o, fmt.Errorf("open: %w", ErrLength)
	}
	copy(o.ID[:], b)
	copy(o.Trace[:], b[16:])
	return o, nil
}

// AppendAck appends an ACK frame.
func AppendAck(b []byte, a Acking) []byte {
	b = appendHeader(b, Ack, ackBody)
	b = binary.BigEndian.AppendUint64(b, a.Delivered)
	return binary.BigEndian.AppendUint64(b, a.Limit)
}

// ParseAck takes the body of ACK.
func ParseAck(b []byte) (a Acking, err error) {
	if len(b) < ackBody {
		return a, fmt.Errorf("ack: %w", ErrLength)
	}
	return Acking{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

// AppendFin appends a FIN frame.
func AppendFin(b []byte) []byte { return appendHeader(b, Fin, 0) }

// AppendData appends the header of a DATA frame of n bytes.
func AppendData(b []byte, n int) []byte { return appendHeader(b, Data, n) }

// AppendVerdict appends a VERDICT frame.
func AppendVerdict(b []byte, w Words) []byte { return appendWords(b, Verdict, w) }

// AppendRst appends an RST frame.
func AppendRst(b []byte, w Words) []byte { return appendWords(b, Rst, w) }

// appendWords writes the words as three strings, each with its length: code in
// one byte, text in two, hint in two. What is too long is cut.
func appendWords(b []byte, t Type, w Words) []byte {
	w.Code, w.Text, w.Hint = cut(w.Code, 64), cut(w.Text, 1<<10), cut(w.Hint, 1<<10)
	b = appendHeader(b, t, 1+len(w.Code)+2+len(w.Text)+2+len(w.Hint))
	b = append(append(b, byte(len(w.Code))), w.Code...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(w.Text))), w.Text...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(w.Hint))), w.Hint...)
}

// cut shortens to n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// ParseWords takes the body of VERDICT or RST. The strings come from a peer:
// only printable text of valid UTF-8 passes.
func ParseWords(b []byte) (w Words, err error) {
	var ok [3]bool
	w.Code, b, ok[0] = takeString(b, 1)
	w.Text, b, ok[1] = takeString(b, 2)
	w.Hint, _, ok[2] = takeString(b, 2)
	if ok != [3]bool{true, true, true} || w.Code == "" {
		return Words{}, ErrWords
	}
	return w, nil
}

func takeString(b []byte, width int) (s string, rest []byte, ok bool) {
	if len(b) < width {
		return "", nil, false
	}
	n := int(b[0])
	if width == 2 {
		n = n<<8 | int(b[1])
	}
	b = b[width:]
	if len(b) < n || !printable(b[:n]) {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

// printable refuses control characters, which would go to terminals and logs.
func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}

// AppendAttach appends an ATTACH frame.
func AppendAttach(b []byte, a Attachment) []byte {
	b = appendHeader(b, Attach, attachSize)
	b = append(b, a.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, a.Epoch)
	b = binary.BigEndian.AppendUint64(b, a.Received)
	if a.FinSeen {
		return append(b, 1)
	}
	return append(b, 0)
}

// ParseAttach takes the body of ATTACH.
func ParseAttach(b []byte) (a Attachment, err error) {
	if len(b) < attachSize {
		return a, fmt.Errorf("attach: %w", ErrLength)
	}
	copy(a.ID[:], b)
	a.Epoch = binary.BigEndian.Uint32(b[16:])
	a.Received = binary.BigEndian.Uint64(b[20:])
	a.FinSeen = b[28]&1 != 0
	return a, nil
}
