package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// Kind is how a stream is used.
type Kind uint8

const (
	// Bulk sends both ways as fast as it goes, then half-closes each.
	Bulk Kind = iota + 1
	// PingPong sends 64 bytes and waits for 64, over and over.
	PingPong
	// Idle sends a little, rests, sends the rest.
	Idle
	// HalfClosed sends a request and its FIN at once; the answer comes slowly.
	HalfClosed
	// Reset sends what the plan has up, hears that all is there, and resets.
	Reset
	// OriginReset is Reset the other way.
	OriginReset
)

func (k Kind) String() string {
	return [...]string{"?", "bulk", "ping-pong", "idle", "half-closed", "reset", "reset by the origin"}[min(k, OriginReset)]
}

// resets says whether the end that sends a direction ends a stream of this kind with a
// reset.
func (k Kind) resets(d Direction) bool { return k == Reset && d == Up || k == OriginReset && d == Down }

// Plan is one stream. The client sends it ahead of its bytes.
type Plan struct {
	Seed   uint64
	Stream uint32
	Kind   Kind
	// Up and Down are the bytes of each direction.
	Up, Down uint64
	// Lasts is how long the stream is to take at least: its bytes are spread
	// over that time, but for one that is reset, whose end alone waits. 0 is as fast as
	// it goes.
	Lasts time.Duration
}

const (
	headerSize = 4 + 1 + 8 + 4 + 8 + 8 + 8
	pingSize   = 64
)

var magic = [4]byte{'s', 'p', 'l', 'g'}

var errHeader = errors.New("not a ledger stream")

func (p Plan) header() []byte {
	b := append(make([]byte, 0, headerSize), magic[:]...)
	b = append(b, byte(p.Kind))
	b = binary.BigEndian.AppendUint64(b, p.Seed)
	b = binary.BigEndian.AppendUint32(b, p.Stream)
	b = binary.BigEndian.AppendUint64(b, p.Up)
	b = binary.BigEndian.AppendUint64(b, p.Down)
	return binary.BigEndian.AppendUint64(b, uint64(p.Lasts))
}

func parseHeader(b []byte) (Plan, error) {
	if len(b) != headerSize || [4]byte(b) != magic || b[4] < byte(Bulk) || b[4] > byte(OriginReset) {
		return Plan{}, errHeader
	}
	return Plan{
		Kind: Kind(b[4]), Seed: binary.BigEndian.Uint64(b[5:]), Stream: binary.BigEndian.Uint32(b[13:]),
		Up: binary.BigEndian.Uint64(b[17:]), Down: binary.BigEndian.Uint64(b[25:]), Lasts: time.Duration(binary.BigEndian.Uint64(b[33:])),
	}, nil
}

// Mixed gives n plans of all kinds but those that are reset, which last for a time at
// least.
func Mixed(seed uint64, first uint32, n int, bulk uint64, lasts time.Duration) []Plan {
	plans := make([]Plan, n)
	for i := range plans {
		p := Plan{Seed: seed, Stream: first + uint32(i), Lasts: lasts}
		switch i % 4 {
		case 0:
			p.Kind, p.Up, p.Down = Bulk, bulk, bulk
		case 1:
			p.Kind, p.Up = PingPong, pingSize*200
			p.Down = p.Up
		case 2:
			p.Kind, p.Up, p.Down = Idle, 4096, 4096
		case 3:
			p.Kind, p.Up, p.Down = HalfClosed, 100, bulk/4
		}
		plans[i] = p
	}
	return plans
}

// Ending gives n plans of a little each, which come to all of the ends that a stream
// can have, after a time at least.
func Ending(seed uint64, first uint32, n int, lasts time.Duration) []Plan {
	plans := make([]Plan, n)
	for i := range plans {
		p := Plan{Seed: seed, Stream: first + uint32(i), Up: 4096, Down: 4096, Lasts: lasts}
		p.Kind = [...]Kind{Reset, OriginReset, Idle, HalfClosed}[i%4]
		plans[i] = p
	}
	return plans
}

// conn is what a stream needs of its connection.
type conn interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// player plays one end of a plan on a connection.
type player struct {
	plan Plan
	conn conn
	book *book
	src  source
	ctx  context.Context
	// sent gives what became of the sending beside a receive; nil without one.
	sent chan error
}

// send writes what its direction carries, spread over the plan's time, in
// pieces of all sizes.
func (p *player) send(d Direction, total uint64, out []byte) error {
	if len(out) > 0 {
		if _, err := p.conn.Write(out); err != nil {
			return err
		}
	}
	seq := sequence{p.plan.Seed, p.plan.Stream, d}
	start := time.Now()
	buf := make([]byte, 32<<10)
	for at := uint64(0); at < total; {
		if err := p.pace(d, start, at, total); err != nil {
			return err
		}
		n := min(uint64(p.piece(total)), total-at)
		seq.fill(buf[:n], at)
		if _, err := p.conn.Write(buf[:n]); err != nil {
			return err
		}
		at += n
	}
	return p.wait(time.Until(start.Add(p.lasts(d))))
}

// piece is the size of the next write: often large, sometimes one byte; of a
// stream that takes its time at most a fiftieth of it.
func (p *player) piece(total uint64) int {
	largest := 32 << 10
	if p.plan.Lasts > 0 {
		largest = int(min(max(total/50, 1), uint64(largest)))
	}
	switch p.src.below(8) {
	case 0:
		return 1
	case 1:
		return 1 + p.src.below(min(100, largest))
	}
	return 1 + p.src.below(largest)
}

// lasts is how long a direction takes: the request of a half-closed stream none, and
// what is before a reset.
func (p *player) lasts(d Direction) time.Duration {
	if p.plan.Kind == HalfClosed && d == Up || p.plan.Kind.resets(d) {
		return 0
	}
	return p.plan.Lasts
}

// pace waits until byte at is due.
func (p *player) pace(d Direction, start time.Time, at, total uint64) error {
	if p.lasts(d) == 0 {
		return p.ctx.Err()
	}
	due := time.Duration(float64(p.plan.Lasts) * float64(at) / float64(total))
	if p.plan.Kind == Idle && at > 0 {
		due = p.plan.Lasts // the rest comes at the end
	}
	return p.wait(time.Until(start.Add(due)))
}

func (p *player) wait(d time.Duration) error {
	if d <= 0 {
		return p.ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// receive reads a direction to its end and enters what came; nil is an EOF.
func (p *player) receive(d Direction, total uint64) error {
	e := p.book.open(Entry{
		Stream: p.plan.Stream, Kind: p.plan.Kind, Direction: d, Sent: total,
		WantReset: p.plan.Kind.resets(d),
	})
	c := newChecker(sequence{p.plan.Seed, p.plan.Stream, d})
	buf := make([]byte, 64<<10)
	for {
		n, err := p.conn.Read(buf)
		c.write(buf[:n])
		if n > 0 {
			p.book.note(e, c.run.to)
		}
		if n > 0 && c.run.to == total && p.plan.Kind.resets(d) {
			p.conn.Write([]byte{1}) // a reset overtakes nothing: all is there
		}
		if err != nil {
			received, faults := c.end()
			if errors.Is(err, io.EOF) && received < total {
				err = p.told(err)
			}
			p.book.close(e, received, faults, err)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// reset sends a direction, hears that all is there, and leaves the reset that is due to
// whoever closes.
func (p *player) reset(d Direction, total uint64, out []byte) error {
	start := time.Now()
	if err := p.send(d, total, out); err != nil {
		return err
	}
	if _, err := io.ReadFull(p.conn, make([]byte, 1)); err != nil {
		return err
	}
	return p.wait(time.Until(start.Add(p.plan.Lasts)))
}

// told is the error of a connection that ended too early with an EOF. A kernel
// tells of a reset once: where a write was told, the read sees an EOF. Whoever
// writes has then been told; only without that is the EOF a lie.
func (p *player) told(eof error) error {
	if p.sent == nil {
		return eof
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case err := <-p.sent:
		p.sent <- err
		if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
			return err
		}
	case <-t.C:
	}
	return eof
}

// volley plays ping-pong: one side sends a ping when the pong before it is
// there, and its FIN after the last.
func (p *player) volley(first bool) error {
	mine, theirs := Up, Down
	if !first {
		mine, theirs = Down, Up
	}
	total := p.plan.Up
	e := p.book.open(Entry{Stream: p.plan.Stream, Kind: PingPong, Direction: theirs, Sent: total})
	c := newChecker(sequence{p.plan.Seed, p.plan.Stream, theirs})
	out := sequence{p.plan.Seed, p.plan.Stream, mine}
	buf, start := make([]byte, pingSize), time.Now()
	ping := func(at uint64) error {
		out.fill(buf, at)
		_, err := p.conn.Write(buf)
		return err
	}
	var err error
	for at := uint64(0); at < total && err == nil; at += pingSize {
		if first {
			if err = p.pace(mine, start, at, total); err == nil {
				err = ping(at)
			}
		}
		if err == nil {
			err = p.readPing(c, e)
		}
		if err == nil && !first {
			err = ping(at)
		}
	}
	if err == nil {
		p.conn.CloseWrite()
		var n int
		n, err = p.conn.Read(buf)
		c.write(buf[:n])
	}
	received, faults := c.end()
	if err == nil {
		err = errors.New("bytes after the last ping")
	}
	p.book.close(e, received, faults, err)
	if errors.Is(err, io.EOF) && received == total {
		return nil
	}
	return err
}

func (p *player) readPing(c *checker, e *Entry) error {
	buf := make([]byte, pingSize)
	for left := pingSize; left > 0; {
		n, err := p.conn.Read(buf[:left])
		c.write(buf[:n])
		left -= n
		if err != nil {
			return err
		}
	}
	p.book.note(e, c.run.to)
	return nil
}
