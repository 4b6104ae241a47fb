package trunk

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/wire/policer"
)

// record is the payload of one full TLS record.
const record = 16 << 10

// framer stands between TLS and yamux.
//
// yamux writes a frame's header and its body apart, and each stream's frame
// apart. The framer holds a header until its body comes, and a small frame while
// further ones are announced (expect), so that one TLS record and one system
// call carry them all. Since it knows where frames begin, it can put a ping
// between them.
type framer struct {
	conn   net.Conn // TLS
	close  func()   // ends what is under TLS
	police *policer.Policer

	// announced counts the data frames that are certain to come.
	announced atomic.Int32
	lastRead  atomic.Int64 // nanoseconds since start
	start     time.Time

	mu      sync.Mutex
	held    []byte // whole frames, then perhaps a header whose body is to come
	partial []byte // header of yamux that came in pieces
	body    int    // bytes of body to come
	pingDue bool
	pingID  uint32

	errMu sync.Mutex
	err   error // the first

	rtt rttMeter
}

func newFramer(conn net.Conn, closeRaw func(), host bool) *framer {
	f := &framer{conn: conn, close: closeRaw, start: time.Now()}
	f.police = policer.New(host, Limits, f.pong)
	f.lastRead.Store(0)
	return f
}

// Read gives yamux bytes that the policer has seen.
func (f *framer) Read(p []byte) (int, error) {
	n, err := f.conn.Read(p)
	if n > 0 {
		now := time.Now()
		f.lastRead.Store(int64(now.Sub(f.start)))
		if v := f.police.In(p[:n], now); v != nil {
			return 0, f.fail(v)
		}
	}
	if err != nil {
		return n, f.fail(err)
	}
	return n, nil
}

// Write takes what yamux writes: a header, or the body of the last header.
func (f *framer) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(p)
	for len(p) > 0 && f.body == 0 {
		p = f.takeHeaderLocked(p)
		if f.body > 0 || len(f.partial) > 0 {
			continue
		}
		if err := f.frameDoneLocked(false); err != nil { // a frame without body
			return 0, err
		}
	}
	if len(p) == 0 {
		return n, nil
	}
	if err := f.takeBodyLocked(p); err != nil {
		return 0, err
	}
	return n, nil
}

func (f *framer) takeHeaderLocked(p []byte) []byte {
	k := min(policer.HeaderSize-len(f.partial), len(p))
	f.partial = append(f.partial, p[:k]...)
	if len(f.partial) < policer.HeaderSize {
		return p[k:]
	}
	h := policer.ParseHeader([policer.HeaderSize]byte(f.partial))
	f.police.Out(h)
	f.held = append(f.held, f.partial...)
	f.partial = f.partial[:0]
	f.body = h.Body()
	return p[k:]
}

// takeBodyLocked joins a small body to what is held; of a large one it fills
// the first TLS record and writes the rest from where it lies.
func (f *framer) takeBodyLocked(p []byte) error {
	if len(p) > f.body {
		return f.fail(errors.New("yamux wrote more than its header says"))
	}
	f.body -= len(p)
	if len(f.held)+len(p) > record {
		k := max(0, record-len(f.held))
		f.held = append(f.held, p[:k]...)
		if err := f.flushLocked(); err != nil {
			return err
		}
		if _, err := f.conn.Write(p[k:]); err != nil {
			return f.fail(err)
		}
	} else {
		f.held = append(f.held, p...)
	}
	if f.body > 0 {
		return nil
	}
	return f.frameDoneLocked(true)
}

// frameDoneLocked decides whether what is held goes out now.
func (f *framer) frameDoneLocked(data bool) error {
	coming := f.announced.Load()
	if data {
		coming = f.announced.Add(-1)
	}
	if f.pingDue {
		f.putPingLocked(time.Now())
	}
	if coming > 0 && len(f.held) < record {
		return nil
	}
	return f.flushLocked()
}

func (f *framer) flushLocked() error {
	if len(f.held) == 0 {
		return nil
	}
	_, err := f.conn.Write(f.held)
	f.held = f.held[:0]
	if err != nil {
		return f.fail(err)
	}
	return nil
}

// expect announces a data frame, so that others may wait for it.
func (f *framer) expect() { f.announced.Add(1) }

// forget takes an announcement back: the frame does not come.
func (f *framer) forget() {
	if f.announced.Add(-1) > 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.body == 0 && len(f.partial) == 0 {
		f.flushLocked() // an error stays in f.err and ends the session
	}
}

// ping sends a ping, with the next frame where one is being written. It does
// not wait. One that was not answered is replaced.
func (f *framer) ping(now time.Time) {
	if !f.mu.TryLock() {
		return // something is being written, which is as good
	}
	defer f.mu.Unlock()
	if f.body > 0 || len(f.partial) > 0 {
		f.pingDue = true
		return
	}
	f.putPingLocked(now)
	f.flushLocked()
}

// putPingLocked adds a ping to what is held. Its ids lie above those of yamux,
// which sends none itself.
func (f *framer) putPingLocked(now time.Time) {
	f.pingDue = false
	f.pingID++
	h := policer.Header{Type: policer.TypePing, Flags: policer.FlagSYN, Length: 1<<31 | f.pingID}
	f.held = h.Append(f.held)
	f.rtt.sent(h.Length, now)
}

// pong is called by the policer for each answer to a ping.
func (f *framer) pong(value uint32, now time.Time) { f.rtt.answered(value, now) }

// silence is how long nothing came.
func (f *framer) silence(now time.Time) time.Duration {
	return now.Sub(f.start) - time.Duration(f.lastRead.Load())
}

// Close ends the connection without a word: only the envelope's FIN is an end.
func (f *framer) Close() error {
	f.fail(net.ErrClosed)
	f.close()
	return nil
}

// fail keeps the first error, and ends the connection.
func (f *framer) fail(err error) error {
	f.errMu.Lock()
	first := f.err == nil
	if first {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		f.err = err
	}
	f.errMu.Unlock()
	if first {
		f.close()
	}
	return err
}

// failure is the first error.
func (f *framer) failure() error {
	f.errMu.Lock()
	defer f.errMu.Unlock()
	return f.err
}

// rttMeter knows the shortest round trip of the last half minute or so: what
// a round trip takes when nothing queues.
type rttMeter struct {
	mu    sync.Mutex
	id    uint32
	at    time.Time
	since time.Time
	now   time.Duration // shortest of this period
	last  time.Duration // shortest of the period before
	value atomic.Int64
}

func (m *rttMeter) sent(id uint32, now time.Time) {
	m.mu.Lock()
	m.id, m.at = id, now
	m.mu.Unlock()
}

func (m *rttMeter) answered(id uint32, now time.Time) {
	const period = 30 * time.Second
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at.IsZero() || id != m.id {
		return
	}
	sample := max(now.Sub(m.at), time.Microsecond)
	m.at = time.Time{}
	if now.Sub(m.since) > period {
		m.last, m.now, m.since = m.now, 0, now
	}
	if m.now == 0 || sample < m.now {
		m.now = sample
	}
	best := m.now
	if m.last > 0 {
		best = min(best, m.last)
	}
	m.value.Store(int64(best))
}

// get is the round trip, 0 while it is unknown.
func (m *rttMeter) get() time.Duration { return time.Duration(m.value.Load()) }
