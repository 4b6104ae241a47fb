package speak

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Frames of yamux.
const (
	YData   = 0
	YWindow = 1
	YPing   = 2
	YGoAway = 3

	YSYN = 1
	YACK = 2
	YFIN = 4
	YRST = 8

	YamuxWindow = 256 << 20
	YamuxFirst  = 256 << 10 // that both ends have from the start
)

// Frames of the envelope.
const (
	EOpen    = 1
	EVerdict = 2
	EData    = 3
	EAck     = 4
	EFin     = 5
	ERst     = 6
	EAttach  = 7
)

const (
	Window      = 64 << 10 // that we grant
	EarlyWindow = 4 << 10
	MaxWindow   = 16 << 20
)

// Yframe is one frame of yamux.
func Yframe(kind byte, flags uint16, stream, length uint32, body []byte) []byte {
	b := []byte{0, kind}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	b = binary.BigEndian.AppendUint32(b, length)
	return append(b, body...)
}

func Ydata(stream uint32, body []byte) []byte {
	return Yframe(YData, 0, stream, uint32(len(body)), body)
}

func Yopen(stream uint32) []byte {
	return Yframe(YWindow, YSYN, stream, YamuxWindow-YamuxFirst, nil)
}

// Eframe is one frame of the envelope.
func Eframe(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b[0] = kind
	return append(b, body...)
}

// Open begins a stream, and grants Window.
func Open(stream []byte) []byte {
	return append(Eframe(EOpen, append(stream[:16:16], make([]byte, 8)...)), Ack(0, Window)...)
}

// Admit is a host's ok, and grants Window.
func Admit() []byte { return append(Eframe(EVerdict, Words("ok", "", "")), Ack(0, Window)...) }

func Words(code, text, hint string) []byte {
	b := append([]byte{byte(len(code))}, code...)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(hint))), hint...)
}

func Ack(delivered, limit uint64) []byte {
	return Eframe(EAck, binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, delivered), limit))
}

func Attach(stream []byte, epoch uint32) []byte { return AttachAt(stream, epoch, 0) }

func StreamID() []byte {
	b := make([]byte, 16)
	rand.Read(b)
	return b
}

// Trunk is the carrier of one, after its TLS.
type Trunk struct {
	net.Conn
	ID string
	// Host names the process that a client has met, as tickets of lanes want it.
	Host Object
	// Mute answers no pings: an answer would be taken for the rest of a frame that stalls.
	Mute bool
	// frames of the envelope that are not whole, by stream.
	parts map[uint32][]byte
}

// event is a frame of the envelope, or of yamux where kind is 0.
type event struct {
	Stream uint32
	yamux  byte
	flags  uint16
	Kind   byte
	Body   []byte
}

// Next gives what comes next; pings are answered, where it is not mute.
func (t *Trunk) Next(deadline time.Time) (event, error) {
	for s, b := range t.parts {
		if len(b) < 4 {
			continue
		}
		n := int(binary.BigEndian.Uint32(b)&0xffffff) + 4
		if len(b) >= n {
			t.parts[s] = b[n:]
			return event{Stream: s, Kind: b[0], Body: b[4:n]}, nil
		}
	}
	for {
		t.SetReadDeadline(deadline)
		var h [12]byte
		if _, err := io.ReadFull(t, h[:]); err != nil {
			return event{}, err
		}
		e := event{yamux: h[1], flags: binary.BigEndian.Uint16(h[2:]), Stream: binary.BigEndian.Uint32(h[4:])}
		n := binary.BigEndian.Uint32(h[8:])
		if e.yamux == YPing && e.flags&YSYN != 0 {
			if !t.Mute {
				WriteAll(t, Yframe(YPing, YACK, 0, n, nil))
			}
			continue
		}
		if e.yamux != YData {
			return e, nil
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(t, body); err != nil {
			return event{}, err
		}
		t.parts[e.Stream] = append(t.parts[e.Stream], body...)
		if n == 0 || e.flags&(YFIN|YRST) != 0 {
			return e, nil
		}
		return t.Next(deadline)
	}
}

// Stall begins a frame of stream 1, and says no more.
func (t *Trunk) Stall() {
	t.Mute = true
	WriteAll(t, Yframe(YData, 0, 1, 1000, Edata(996)[:10]))
}

// Await gives the first frame of the envelope of a kind.
func (t *Trunk) Await(kind byte, patience time.Duration) (event, error) {
	deadline := time.Now().Add(patience)
	for {
		e, err := t.Next(deadline)
		if err != nil || e.Kind == kind {
			return e, err
		}
	}
}

// Lives says whether the other end still answers pings.
func (t *Trunk) Lives() error {
	if err := WriteAll(t, Yframe(YPing, YSYN, 0, 77, nil)); err != nil {
		return err
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		e, err := t.Next(deadline)
		if err != nil {
			return fmt.Errorf("no answer to a ping: %w", err)
		}
		if e.Kind == 0 && e.yamux == YPing && e.flags&YACK != 0 {
			return nil
		}
	}
}

// TrunkTLS is the TLS of either end: keys are not looked at.
func TrunkTLS(id *Identity, name string) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{id.Cert}, ServerName: name, InsecureSkipVerify: true, ClientAuth: tls.RequireAnyClientCert,
		NextProtos: []string{trunkProtocol}, MinVersion: tls.VersionTLS13,
	}
}

const (
	trunkProtocol = "sallyport-trunk/1"
	laneProtocol  = "sallyport-lane/1"
)

func (e Edge) LabelName(label string) string { return "t" + label + "." + e.Name }

// Ticket asks for a ticket.
func (l *Link) Ticket(session, hostname string) (Message, error) {
	m, err := l.Call(KindTicketRequest, Object{"session": session, "hostname": hostname, "carrier": "trunk"})
	if err == nil && m.Kind != KindTicket {
		err = fmt.Errorf("no ticket: %s", m.Body)
	}
	return m, err
}

// Trunk meets a host as its client.
func (l *Link) Trunk(ctx context.Context, e Edge, id *Identity, hostname string) (*Trunk, error) {
	m, err := l.Ticket(id.Session, hostname)
	if err != nil {
		return nil, err
	}
	raw, err := e.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, TrunkTLS(id, e.LabelName(m.Get("label"))))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("meet the host: %w", err)
	}
	host := Object{"key": m.Get("host_key"), "boot_id": m.Get("boot_id")}
	return &Trunk{Conn: c, ID: m.Get("trunk"), Host: host, parts: map[uint32][]byte{}}, nil
}

// Request asks the edge for a stream.
func (l *Link) Request(trunk string, stream []byte) {
	l.Say(KindOpenRequest, Object{"trunk": trunk, "stream": hex.EncodeToString(stream), "trace": RandomHex(8)})
}

// Stream opens one as it should be, and waits for its Verdict.
func (t *Trunk) Stream(l *Link, number uint32) ([]byte, error) {
	id := StreamID()
	WriteAll(t, append(Yopen(number), Ydata(number, Open(id))...))
	l.Request(t.ID, id)
	e, err := t.Await(EVerdict, 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("no verdict: %w", err)
	}
	if string(e.Body[:3]) != "\x02ok" {
		return nil, fmt.Errorf("refused: %q", e.Body)
	}
	return id, nil
}

// HelloRecord is the one record with which a host comes.
func HelloRecord(name string, protocols ...string) ([]byte, error) {
	r := &onlyWrites{}
	err := tls.Client(r, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: protocols, MinVersion: tls.VersionTLS13}).Handshake()
	if len(r.written) == 0 {
		return nil, err
	}
	return r.written, nil
}

type onlyWrites struct {
	net.Conn
	written []byte
}

func (r *onlyWrites) Write(p []byte) (int, error) {
	r.written = append(r.written, p...)
	return len(p), nil
}
func (r *onlyWrites) Read([]byte) (int, error) { return 0, errors.New("written") }
func (r *onlyWrites) Close() error             { return nil }

// Meet comes to an offer as its host and does TLS.
func (e Edge) Meet(ctx context.Context, id *Identity, offer Message) (*Trunk, error) {
	raw, err := e.Come(ctx, offer.Get("label"))
	if err != nil {
		return nil, err
	}
	c := tls.Server(raw, TrunkTLS(id, ""))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("meet the client: %w", err)
	}
	return &Trunk{Conn: c, ID: offer.Get("trunk"), parts: map[uint32][]byte{}}, nil
}

// Come connects with a label and sends the record, no more.
func (e Edge) Come(ctx context.Context, label string) (*net.TCPConn, error) {
	return e.come(ctx, label, trunkProtocol)
}

func (e Edge) come(ctx context.Context, label, protocol string) (*net.TCPConn, error) {
	raw, err := e.Dial(ctx)
	if err != nil {
		return nil, err
	}
	record, err := HelloRecord(e.LabelName(label), protocol)
	if err != nil {
		return nil, err
	}
	return raw, WriteAll(raw, record)
}

// Label is one that the edge has not given.
func Label() string {
	b := make([]byte, 16)
	rand.Read(b)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}

// Zeros reads as zeros without end.
type Zeros struct{}

// Read gives zeros.
func (Zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Raw is the TCP connection below.
func (t *Trunk) Raw() net.Conn { return t.Conn.(*tls.Conn).NetConn() }

// Edata is DATA of n zeros.
func Edata(n int) []byte { return Eframe(EData, make([]byte, n)) }

// Flood writes a frame over and over and reads nothing.
func Flood(l *Link, b []byte, n int) {
	all := bytes.Repeat(b, 1000)
	for range n / 1000 {
		l.SetWriteDeadline(time.Now().Add(5 * time.Second))
		if _, err := l.Write(all); err != nil {
			return
		}
	}
}
