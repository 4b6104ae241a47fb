package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/hello"
	"github.com/sallyport/sallyport/wire/lane"
	"github.com/sallyport/sallyport/wire/socket"
	"github.com/sallyport/sallyport/wire/stream"
	"github.com/sallyport/sallyport/wire/trunk"
)

// Trunk is one end of a yamux session inside TLS between two daemons, or of a lane.
type Trunk = trunk.Trunk

// Stream is one forwarded TCP connection on a trunk.
type Stream = stream.Stream

// Budget bounds the memory of a session's streams.
type Budget = envelope.Budget

// NewBudget makes the budget of a session.
func NewBudget() *Budget { return envelope.SessionBudget() }

// Errors of a trunk's beginning.
var (
	// ErrServerName: a trunk's client asked for another name than the offer's.
	ErrServerName = errors.New("client names another ticket")
)

// TrunkConfig is what one end of a trunk needs to know.
type TrunkConfig struct {
	// ID names the trunk in logs and in messages of the link.
	ID TrunkID
	// Cert holds this daemon's device key.
	Cert tls.Certificate
	// PeerKey is the only key accepted at the other end.
	PeerKey KeyID
	// ServerName is the client's label name: the client sends it, the host
	// accepts no other.
	ServerName string
	// Carrier is what the ticket is for; the zero value means CarrierTrunk.
	Carrier CarrierKind
	// Resume says that streams outlive the loss of the trunk (Trunk.Remains); those
	// of a lane always do.
	Resume bool
	// Budget is that of the session, of all its trunks and lanes; nil: one of its own.
	Budget *Budget
	// Log takes the trunk's life; nil logs nothing.
	Log *slog.Logger
}

// ALPNOf is the name of what a ticket is for.
func ALPNOf(kind CarrierKind) string {
	if kind == CarrierLane {
		return ALPNLane
	}
	return ALPNTrunk
}

func (c TrunkConfig) alpn() string { return ALPNOf(c.Carrier) }

// DialTrunk makes the client's end of a trunk on a connection to the edge. It
// takes ownership of raw. ctx bounds the handshake, TicketLife too.
func DialTrunk(ctx context.Context, raw net.Conn, cfg TrunkConfig) (*Trunk, error) {
	t, err := startTrunk(ctx, raw, tls.Client(cfg.under(raw), trunkClientConfig(cfg)), cfg, true)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("dial trunk: %w", err)
	}
	return t, nil
}

// AcceptTrunk makes the host's end of a trunk on a connection to the edge. It
// first writes the ClientHello-shaped record that carries hostName, the name
// of the host's own label, and nothing more until the client's hello. It takes
// ownership of raw. ctx bounds the handshake, TicketLife too.
func AcceptTrunk(ctx context.Context, raw net.Conn, hostName string, cfg TrunkConfig) (*Trunk, error) {
	t, err := acceptTrunk(ctx, raw, hostName, cfg)
	if err != nil {
		raw.Close()
		return nil, fmt.Errorf("accept trunk: %w", err)
	}
	return t, nil
}

func acceptTrunk(ctx context.Context, raw net.Conn, hostName string, cfg TrunkConfig) (*Trunk, error) {
	record, err := helloRecord(ctx, hostName, cfg.alpn())
	if err != nil {
		return nil, err
	}
	raw.SetWriteDeadline(time.Now().Add(DirectTimeout))
	if _, err := raw.Write(record); err != nil {
		return nil, fmt.Errorf("say the label: %w", err)
	}
	raw.SetWriteDeadline(time.Time{})
	return startTrunk(ctx, raw, tls.Server(cfg.under(raw), trunkServerConfig(cfg)), cfg, false)
}

// under is what TLS stands on.
func (c TrunkConfig) under(raw net.Conn) net.Conn {
	if c.Carrier == CarrierLane {
		return lane.Under(socket.Direct(raw))
	}
	return socket.Direct(raw)
}

// startTrunk does the handshake and puts a trunk or lane on it.
func startTrunk(ctx context.Context, raw net.Conn, conn *tls.Conn, cfg TrunkConfig, client bool) (*Trunk, error) {
	ctx, cancel := context.WithTimeout(ctx, TicketLife)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	fingerprint, err := fingerprintOf(conn.ConnectionState())
	if err != nil {
		return nil, err
	}
	c := trunk.Config{ID: cfg.ID, Fingerprint: fingerprint, Resume: cfg.Resume, Budget: cfg.Budget, Log: cfg.Log}
	switch {
	case cfg.Carrier == CarrierLane:
		return trunk.Lane(conn, raw, c, client), nil
	case client:
		return trunk.Client(conn, raw, c)
	}
	return trunk.Host(conn, raw, c)
}

// helloRecord is what a TLS client would say first for serverName.
func helloRecord(ctx context.Context, serverName, alpn string) ([]byte, error) {
	c := baseConfig()
	c.ServerName = serverName
	c.NextProtos = []string{alpn}
	return hello.Record(ctx, c)
}
