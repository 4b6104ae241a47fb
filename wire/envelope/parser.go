package envelope

// Parser takes frames out of what a carrier brings, in whatever pieces that comes.
// Between frames it holds no buffer.
type Parser struct {
	header [HeaderSize]byte
	have   int // bytes of the header
	kind   Type
	left   int    // bytes of the body still to come
	body   []byte // what came of it, where it is not DATA's
	err    error
}

// Take takes a frame off b, or as much of one as there is. Payload of DATA is given
// as it comes, beginning with the header, where it may be none; of every other frame the
// whole body, valid until b changes or the next Take. kind is 0 where nothing can be
// said yet. The error, a breach of the protocol, stays.
func (x *Parser) Take(b []byte) (kind Type, body, rest []byte, err error) {
	if x.err != nil {
		return 0, nil, nil, x.err
	}
	if x.left == 0 {
		n := copy(x.header[x.have:], b)
		x.have += n
		b = b[n:]
		if x.have < HeaderSize {
			return 0, nil, nil, nil
		}
		x.have = 0
		if x.kind, x.left, x.err = ParseHeader(x.header); x.err != nil {
			return 0, nil, nil, x.err
		}
	}
	n := min(x.left, len(b))
	x.left -= n
	body, rest = b[:n], b[n:]
	switch {
	case x.kind == Data:
		return Data, body, rest, nil
	case x.left == 0 && x.body == nil:
		return x.kind, body, rest, nil
	}
	x.body = append(x.body, body...)
	if x.left > 0 {
		return 0, nil, nil, nil
	}
	body, x.body = x.body, nil
	return x.kind, body, rest, nil
}

// Payload is how much payload the DATA frame still brings that is being taken.
func (x *Parser) Payload() int {
	if x.kind != Data {
		return 0
	}
	return x.left
}

// Skip says that n bytes of Payload were taken elsewhere.
func (x *Parser) Skip(n int) { x.left -= n }
