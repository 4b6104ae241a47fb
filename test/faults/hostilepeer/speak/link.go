package speak

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Kinds of link messages, by their numbers in docs/protocol.md.
const (
	KindHello         = 1
	KindWelcome       = 2
	KindPing          = 3
	KindPong          = 4
	KindFailure       = 5
	KindOK            = 6
	KindLoginStart    = 7
	KindLoginStarted  = 8
	KindLoginRedeem   = 9
	KindLoginDone     = 10
	KindLogout        = 13
	KindEnrol         = 14
	KindRegister      = 16
	KindRegistered    = 17
	KindTicketRequest = 18
	KindTicket        = 19
	KindTicketFailed  = 20
	KindOffer         = 21
	KindOfferFailed   = 22
	KindOpenRequest   = 23
	KindGrant         = 24
	KindDenied        = 25
	KindStreamEnded   = 26
	KindCut           = 31
	KindCutDone       = 32
	KindAppsRequest   = 35
	KindResume        = 37
)

const (
	FlagAnswer   = 1
	FlagOptional = 2
	MaxMessage   = 64 << 10
)

// Object is the body of a message.
type Object = map[string]any

// Message is one that came.
type Message struct {
	Kind, flags byte
	request     uint32
	Body        []byte
}

// Get gives a field of the body, "" where it is none or no string.
func (m Message) Get(path ...string) string {
	var v any
	json.Unmarshal(m.Body, &v)
	for _, p := range path {
		o, _ := v.(Object)
		v = o[p]
	}
	s, _ := v.(string)
	return s
}

// Link is one link, spoken by hand.
type Link struct {
	net.Conn
	last uint32
	got  bytes.Buffer // of a frame that is not whole
}

// LinkTLS is the TLS of a link; change may spoil it.
func LinkTLS(e Edge, id *Identity) *tls.Config {
	c := &tls.Config{
		ServerName: e.Name, RootCAs: e.Roots, NextProtos: []string{"sallyport/1"}, MinVersion: tls.VersionTLS13,
	}
	if id != nil {
		c.Certificates = []tls.Certificate{id.Cert}
	}
	return c
}

// OpenLink connects and does TLS; it says nothing.
func OpenLink(ctx context.Context, e Edge, id *Identity) (*Link, error) {
	raw, err := e.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, LinkTLS(e, id))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return &Link{Conn: c}, nil
}

// Frame is a message as bytes.
func Frame(kind, flags byte, request uint32, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(6+len(body)))
	b = binary.BigEndian.AppendUint32(append(b, kind, flags), request)
	return append(b, body...)
}

func encode(body any) []byte {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // only what is written here is encoded
	}
	return b
}

// Raw writes bytes, and bears it when the other end has left.
func (l *Link) Raw(b []byte) { WriteAll(l.Conn, b) }

func WriteAll(c net.Conn, b []byte) error {
	c.SetWriteDeadline(time.Now().Add(10 * time.Second))
	_, err := c.Write(b)
	return err
}

// Say sends a message that wants no answer.
func (l *Link) Say(kind byte, body any) { l.Raw(Frame(kind, 0, 0, encode(body))) }

// Call sends a request and gives its answer.
func (l *Link) Call(kind byte, body any) (Message, error) {
	l.last++
	number := l.last
	l.Raw(Frame(kind, 0, number, encode(body)))
	return l.await(20*time.Second, func(m Message) bool { return m.flags&FlagAnswer != 0 && m.request == number })
}

// await gives the first message of which match says yes. Pings are answered.
func (l *Link) await(patience time.Duration, match func(Message) bool) (Message, error) {
	deadline := time.Now().Add(patience)
	for {
		m, err := l.next(deadline)
		if err != nil {
			return m, err
		}
		if m.Kind == KindPing {
			l.Raw(Frame(KindPong, FlagAnswer, m.request, []byte("{}")))
		}
		if match(m) {
			return m, nil
		}
	}
}

func (l *Link) AwaitKind(kind byte, patience time.Duration) (Message, error) {
	m, err := l.await(patience, func(m Message) bool { return m.Kind == kind })
	if err != nil {
		err = fmt.Errorf("no message %d: %w", kind, err)
	}
	return m, err
}

func (l *Link) next(deadline time.Time) (Message, error) {
	l.SetReadDeadline(deadline)
	for {
		if b := l.got.Bytes(); len(b) >= 10 {
			if n := int(binary.BigEndian.Uint32(b)) + 4; len(b) >= n {
				b = bytes.Clone(l.got.Next(n))
				return Message{b[4], b[5], binary.BigEndian.Uint32(b[6:]), b[10:]}, nil
			}
		}
		buf := make([]byte, 8192)
		n, err := l.Read(buf)
		l.got.Write(buf[:n])
		if err != nil {
			return Message{}, err
		}
	}
}

// Hello says hello and gives the answer, a welcome or a failure. The token of a
// welcome is kept.
func (l *Link) Hello(id *Identity, role string, more Object) (Message, error) {
	body := Object{"versions": []int{1}, "role": role, "boot_id": id.Boot, "device_name": "hostile", "os_user": "mallory"}
	if role == "client" && id.Token != "" {
		body["session_token"] = id.Token
	}
	for k, v := range more {
		body[k] = v
	}
	m, err := l.Call(KindHello, body)
	if err != nil {
		return m, fmt.Errorf("hello: %w", err)
	}
	if t := m.Get("session_token"); m.Kind == KindWelcome && t != "" {
		id.Token = t
	}
	return m, nil
}

// SignIn signs a key's person in, on a link of its own; browser is as for Login.
func SignIn(ctx context.Context, e Edge, id *Identity, browser func(context.Context, string) (string, error)) error {
	l, err := OpenLink(ctx, e, id)
	if err != nil {
		return err
	}
	defer l.Close()
	if _, err := l.Hello(id, "client", nil); err != nil {
		return err
	}
	return l.Login(ctx, id, browser)
}

// Login signs the identity in; browser acts on the page and gives the code.
func (l *Link) Login(ctx context.Context, id *Identity, browser func(context.Context, string) (string, error)) error {
	verifier := sha256.Sum256([]byte(RandomHex(16)))
	hash := sha256.Sum256(verifier[:])
	m, err := l.Call(KindLoginStart, Object{"purpose": "session", "mode": "code", "device_name": "hostile", "os_user": "mallory", "verifier_hash": hash[:]})
	if err != nil || m.Kind != KindLoginStarted {
		return fmt.Errorf("login-start: %s: %w", m.Body, err)
	}
	code, err := browser(ctx, m.Get("url"))
	if err != nil {
		return err
	}
	m, err = l.Call(KindLoginRedeem, Object{"attempt": m.Get("attempt"), "code": code, "verifier": verifier[:]})
	if err != nil || m.Kind != KindLoginDone {
		return fmt.Errorf("login-redeem: %s: %w", m.Body, err)
	}
	id.Session, id.Token = m.Get("session", "id"), m.Get("session_token")
	return nil
}

var ErrLives = errors.New("the other end bears it")

// Ends waits until the other end has ended a connection, and says how long it
// took; errLives where it has not.
func Ends(c net.Conn, within time.Duration) (time.Duration, error) {
	start := time.Now()
	c.SetReadDeadline(start.Add(within))
	_, err := io.Copy(io.Discard, c)
	var ne net.Error
	if errors.As(err, &ne) && ne.Timeout() {
		return within, ErrLives
	}
	return time.Since(start), nil
}

// Lives says whether a link still answers.
func (l *Link) Lives() error {
	m, err := l.Call(KindPing, Object{})
	if err == nil && m.Kind != KindPong {
		err = fmt.Errorf("answer %d to a ping", m.Kind)
	}
	return err
}

// Register gives the edge a table of hostnames.
func (l *Link) Register(hostnames ...string) (Message, error) {
	var tunnels []Object
	for _, h := range hostnames {
		tunnels = append(tunnels, Object{"hostname": h})
	}
	return l.Call(KindRegister, Object{"tunnels": tunnels})
}

// HonestHello opens a new link up to its welcome, and says how long that took.
func HonestHello(ctx context.Context, e Edge) (time.Duration, error) {
	id, err := NewIdentity()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	l, err := OpenLink(ctx, e, id)
	if err != nil {
		return 0, err
	}
	defer l.Conn.Close()
	m, err := l.Hello(id, "host", nil)
	if err == nil && m.Kind != KindWelcome {
		err = fmt.Errorf("answered with kind %d", m.Kind)
	}
	return time.Since(began), err
}
