package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/wire/flood"
	"github.com/sallyport/sallyport/wire/outbox"
)

// Frame of a link: length uint32 (of what follows), kind uint8, flags uint8,
// request uint32, then a JSON object. All numbers are big-endian.
const (
	linkHeader  = 4
	linkPrelude = 1 + 1 + 4
	// flagReply marks the answer to the request of the same number.
	flagReply = 1 << 0
	// flagOptional marks a message that a peer which does not know it ignores.
	flagOptional = 1 << 1
)

// Errors of a link.
var (
	// ErrLinkClosed is the cause where this side closed the link.
	ErrLinkClosed = errors.New("link closed")
	// ErrLinkOverflow: the peer does not read; the queue of MaxLinkQueue is full.
	ErrLinkOverflow = errors.New("link queue overflow: the peer does not read")
	// ErrLinkFlood: the peer sends more messages than a peer may.
	ErrLinkFlood = errors.New("link flooded: too many messages of the peer")
	// ErrLinkDead: no byte came for DeadAfter.
	ErrLinkDead = errors.New("link dead: nothing heard from the peer")
)

// Handler takes one message that is not an answer. A request has req != 0 and
// is to be answered by Link.Reply with that number. It is called on the link's
// reader: it must not block.
type Handler func(req uint32, m Message)

// Link is the control plane of one daemon: messages both ways over a TLS
// connection. Both sides use the same type.
//
// Concurrency: all methods may be called from any goroutine. Run owns the
// reading and the writing; Send, Reply and Call never block on the peer.
type Link struct {
	conn   net.Conn
	ctx    context.Context
	cancel context.CancelCauseFunc
	closed chan struct{} // closed when conn is
	flood  *flood.Meter  // nil where the peer is not counted

	out *outbox.Queue

	mu     sync.Mutex
	calls  map[uint32]chan Message
	lastID uint32
}

// NewLink makes a link of a connection that is established (TLS done). It
// starts nothing: call Run.
func NewLink(conn net.Conn) *Link {
	ctx, cancel := context.WithCancelCause(context.Background())
	l := &Link{
		conn: conn, ctx: ctx, cancel: cancel,
		out: outbox.New(), closed: make(chan struct{}),
		calls: make(map[uint32]chan Message),
	}
	context.AfterFunc(ctx, l.shut)
	return l
}

// LimitPeer ends the link where the peer sends more messages than wire/flood
// lets it. Call it before Run.
func (l *Link) LimitPeer() { l.flood = &flood.Meter{} }

// Run carries messages until the link ends, and returns why. It closes the
// connection. handle gets every message that is neither an answer nor a ping.
func (l *Link) Run(ctx context.Context, handle Handler) error {
	stop := context.AfterFunc(ctx, func() { l.CloseWith(context.Cause(ctx)) })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { l.CloseWith(l.writeLoop()) })
	l.CloseWith(l.readLoop(handle))
	wg.Wait()
	<-l.closed
	return context.Cause(l.ctx)
}

// Done is closed when the link has ended.
func (l *Link) Done() <-chan struct{} { return l.ctx.Done() }

// Err is why the link ended, nil while it lives.
func (l *Link) Err() error { return context.Cause(l.ctx) }

// Close ends the link.
func (l *Link) Close() { l.CloseWith(ErrLinkClosed) }

// CloseWith ends the link for a reason; the first reason stays. What Send took
// before it may be lost. It does not wait for the connection.
func (l *Link) CloseWith(err error) {
	if err == nil {
		err = ErrLinkClosed
	}
	l.cancel(err)
}

// closeTime is how long TLS may take to say that the link ends; to a peer that
// does not read it would take its 5 s.
const closeTime = 100 * time.Millisecond

// shut closes the connection.
func (l *Link) shut() {
	if t, ok := l.conn.(interface{ NetConn() net.Conn }); ok {
		defer time.AfterFunc(closeTime, func() { t.NetConn().Close() }).Stop()
	}
	l.conn.Close()
	close(l.closed)
}

// Send queues a message. It fails only when the link has ended, the message is
// too large, or the queue overflows, which ends the link.
func (l *Link) Send(m Message) error { return l.send(m, 0, 0) }

// SendSoon is Send for what nobody waits for: it goes with the next message, or within
// sendWait.
func (l *Link) SendSoon(m Message) error {
	err := l.put(m, 0, 0)
	if err == nil {
		l.out.Soon(sendWait)
	}
	return err
}

// sendWait is how long SendSoon may wait: where streams are short, the ends of some go
// together.
const sendWait = 10 * time.Millisecond

// Reply answers the request req of the peer.
func (l *Link) Reply(req uint32, m Message) error { return l.send(m, req, flagReply) }

// Call sends a request and waits for its answer. A Failure is returned as an
// error; errors.As finds its *Reason too.
func (l *Link) Call(ctx context.Context, m Message) (Message, error) {
	ch := make(chan Message, 1)
	l.mu.Lock()
	l.lastID++
	if l.lastID == 0 {
		l.lastID = 1
	}
	id := l.lastID
	l.calls[id] = ch
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.calls, id)
		l.mu.Unlock()
	}()
	if err := l.send(m, id, 0); err != nil {
		return nil, err
	}
	select {
	case reply := <-ch:
		if f, ok := reply.(*Failure); ok {
			return nil, f
		}
		return reply, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-l.ctx.Done():
		return nil, context.Cause(l.ctx)
	}
}

func (l *Link) send(m Message, req uint32, flags byte) error {
	err := l.put(m, req, flags)
	if err == nil {
		l.out.Now()
	}
	return err
}

// put queues a message.
func (l *Link) put(m Message, req uint32, flags byte) error {
	frame, err := encodeMessage(m, req, flags)
	if err != nil {
		return err
	}
	if err := context.Cause(l.ctx); err != nil {
		return err
	}
	if !l.out.Put(frame, urgent(m.Kind()), MaxLinkQueue) {
		l.CloseWith(ErrLinkOverflow)
		return ErrLinkOverflow
	}
	return nil
}

func (l *Link) writeLoop() error {
	var buf []byte
	for {
		select {
		case <-l.out.Due:
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		}
		for {
			buf = l.out.Take(buf)
			if len(buf) == 0 {
				break
			}
			l.conn.SetWriteDeadline(time.Now().Add(DeadAfter))
			if _, err := l.conn.Write(buf); err != nil {
				return fmt.Errorf("write to link: %w", err)
			}
			l.out.Wrote(len(buf))
			if cap(buf) > MaxMessage {
				buf = nil // an idle link keeps no large buffer
			}
		}
	}
}

func (l *Link) readLoop(handle Handler) error {
	// 512 bytes hold the usual message; an idle link is to cost little.
	r := bufio.NewReaderSize(l.conn, 512)
	for {
		frame, err := l.readFrame(r)
		if err != nil {
			return err
		}
		if l.flood != nil && !l.flood.Take(ofStream(frame), time.Now()) {
			return ErrLinkFlood
		}
		m, req, flags, err := decodeMessage(frame)
		if err != nil {
			return err
		}
		switch {
		case m == nil: // unknown, and optional
		case flags&flagReply != 0:
			l.answer(req, m)
		case m.Kind() == KindPing:
			if err := l.Reply(req, &Pong{}); err != nil {
				return err
			}
		case m.Kind() == KindPong:
		default:
			handle(req, m)
		}
	}
}

// urgent says what goes before everything else.
func urgent(k Kind) bool {
	switch k {
	case KindCut, KindDenied, KindSessionEnded,
		// What these may be the end of, so that no end comes before its beginning.
		KindWelcome, KindLoginDone, KindGrant:
		return true
	}
	return false
}

// ofStream says whether a message comes with every stream.
func ofStream(frame []byte) bool {
	switch Kind(frame[0]) {
	case KindOpenRequest, KindStreamEnded, KindCutDone:
		return true
	}
	return false
}

// readFrame waits for a frame; it pings after PingAfter of silence and gives up
// after DeadAfter. Silence inside a frame counts the same.
func (l *Link) readFrame(r *bufio.Reader) ([]byte, error) {
	var header [linkHeader]byte
	if err := l.readFull(r, header[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header[:])
	if n < linkPrelude || n > MaxMessage {
		return nil, fmt.Errorf("link message of %d bytes: %w", n, errMessageSize)
	}
	frame := make([]byte, n)
	if err := l.readFull(r, frame); err != nil {
		return nil, err
	}
	return frame, nil
}

func (l *Link) readFull(r *bufio.Reader, p []byte) error {
	last := time.Now()
	for len(p) > 0 {
		l.conn.SetReadDeadline(time.Now().Add(min(PingAfter, DeadAfter-time.Since(last))))
		n, err := r.Read(p)
		p = p[n:]
		switch {
		case n > 0:
			last = time.Now()
		case errors.Is(err, io.EOF):
			return fmt.Errorf("link ended by the peer: %w", io.ErrUnexpectedEOF)
		case isTimeout(err) && time.Since(last) < DeadAfter:
			if err := l.Send(&Ping{}); err != nil {
				return err
			}
		case isTimeout(err):
			return ErrLinkDead
		case err != nil:
			return fmt.Errorf("read from link: %w", err)
		}
	}
	return nil
}

func (l *Link) answer(req uint32, m Message) {
	l.mu.Lock()
	ch := l.calls[req]
	delete(l.calls, req)
	l.mu.Unlock()
	if ch != nil {
		ch <- m // one slot, and only one answer is ever sent
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

var (
	errMessageSize    = errors.New("size out of bounds")
	errMessageUnknown = errors.New("unknown message type")
	errMessageBody    = errors.New("body does not fit its type")
)

// IsBreach says whether a link ended because its peer sent what no peer may.
func IsBreach(err error) bool {
	for _, breach := range []error{errMessageSize, errMessageUnknown, errMessageBody, ErrLinkFlood} {
		if errors.Is(err, breach) {
			return true
		}
	}
	return false
}

func encodeMessage(m Message, req uint32, flags byte) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message %d: %w", m.Kind(), err)
	}
	n := linkPrelude + len(body)
	if n > MaxMessage {
		return nil, fmt.Errorf("encode message %d of %d bytes: %w", m.Kind(), n, errMessageSize)
	}
	frame := make([]byte, 0, linkHeader+n)
	frame = binary.BigEndian.AppendUint32(frame, uint32(n))
	frame = append(frame, byte(m.Kind()), flags)
	frame = binary.BigEndian.AppendUint32(frame, req)
	return append(frame, body...), nil
}

// decodeMessage takes a frame without its length. The message is nil where its
// type is unknown and flagged optional.
func decodeMessage(frame []byte) (m Message, req uint32, flags byte, err error) {
	if len(frame) < linkPrelude {
		return nil, 0, 0, fmt.Errorf("link message of %d bytes: %w", len(frame), errMessageSize)
	}
	kind, flags := Kind(frame[0]), frame[1]
	req = binary.BigEndian.Uint32(frame[2:])
	m = newMessage(kind)
	if m == nil {
		if flags&flagOptional != 0 {
			return nil, req, flags, nil
		}
		return nil, 0, 0, fmt.Errorf("link message of type %d: %w", kind, errMessageUnknown)
	}
	if err := json.Unmarshal(frame[linkPrelude:], m); err != nil {
		return nil, 0, 0, fmt.Errorf("link message of type %d: %w: %w", kind, errMessageBody, err)
	}
	return m, req, flags, nil
}
