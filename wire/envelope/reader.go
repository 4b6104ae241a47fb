package envelope

import "io"

// Reader takes frames from a carrier. Its buffer is all that an idle stream
// holds. A frame is read by Next and then one of Body, Fill and, where it is
// not wanted, Discard.
type Reader struct {
	src    io.Reader
	took   func(n int)
	header [HeaderSize]byte
	buf    [128]byte
	r, w   int
}

// NewReader reads from a carrier; took is told how much was taken.
func NewReader(src io.Reader, took func(n int)) Reader { return Reader{src: src, took: took} }

// Next reads a frame's header.
func (x *Reader) Next() (t Type, n int, err error) {
	if err := x.Fill(x.header[:]); err != nil {
		return 0, 0, err
	}
	return ParseHeader(x.header)
}

// CarrierError is an error of the carrier, not of what came on it.
type CarrierError struct{ Err error }

// Error is that of the carrier.
func (e *CarrierError) Error() string { return e.Err.Error() }

// Unwrap gives it.
func (e *CarrierError) Unwrap() error { return e.Err }

// Body reads a short body. It is valid until the next read.
func (x *Reader) Body(n int) ([]byte, error) {
	if x.w-x.r >= n { // it lies in the buffer
		b := x.buf[x.r : x.r+n]
		x.r += n
		return b, nil
	}
	b := make([]byte, n)
	return b, x.Fill(b)
}

// Fill reads exactly p. Its error is a *CarrierError.
func (x *Reader) Fill(p []byte) error {
	n := copy(p, x.buf[x.r:x.w])
	x.r += n
	p = p[n:]
	for len(p) >= len(x.buf) { // past the buffer
		n, err := x.src.Read(p)
		if err != nil {
			return &CarrierError{err}
		}
		x.took(n)
		p = p[n:]
	}
	for len(p) > 0 {
		n, err := x.src.Read(x.buf[:])
		if err != nil {
			return &CarrierError{err}
		}
		x.took(n)
		k := copy(p, x.buf[:n])
		x.r, x.w = k, n
		p = p[k:]
	}
	return nil
}

// Discard reads on until the carrier's end: its error is a *CarrierError.
func (x *Reader) Discard() error {
	x.r, x.w = 0, 0
	for {
		n, err := x.src.Read(x.buf[:])
		if err != nil {
			return &CarrierError{err}
		}
		x.took(n)
		if n < len(x.buf) {
			continue
		}
		chunk := NewChunk(MaxPayload)
		n, err = x.src.Read(chunk.Space())
		x.took(n)
		chunk.Free()
		if err != nil {
			return &CarrierError{err}
		}
	}
}
