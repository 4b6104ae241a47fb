package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"
)

// ErrServerName: a trunk's client asked for another name than the offer's.
var ErrServerName = errors.New("client names another ticket")

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
	// Log takes the trunk's life; nil logs nothing.
	Log *slog.Logger
}

func (c TrunkConfig) alpn() string {
	if c.Carrier == CarrierLane {
		return ALPNLane
	}
	return ALPNTrunk
}

// Trunk is one end of a yamux session inside TLS between two daemons.
type Trunk struct{}

// DialTrunk makes the client's end of a trunk on a connection to the edge. It
// takes ownership of raw.
func DialTrunk(ctx context.Context, raw net.Conn, cfg TrunkConfig) (*Trunk, error) { panic("soon") }

// AcceptTrunk makes the host's end of a trunk on a connection to the edge. It
// first writes the ClientHello-shaped record that carries hostName, the name
// of the host's own label. It takes ownership of raw.
func AcceptTrunk(ctx context.Context, raw net.Conn, hostName string, cfg TrunkConfig) (*Trunk, error) {
	panic("soon")
}

// ID is the trunk's id.
func (t *Trunk) ID() TrunkID { panic("soon") }

// Open begins a stream (client). It sends Open and does not wait for the Verdict.
func (t *Trunk) Open(ctx context.Context, id StreamID, trace TraceID) (*Stream, error) { panic("soon") }

// Accept gives the next stream whose Open has been read (host). The caller
// ends it with Admit or Refuse within GrantWait.
func (t *Trunk) Accept(ctx context.Context) (*Stream, error) { panic("soon") }

// CloseWith ends the trunk and every stream on it with a reason (nil: closed).
// It does not wait; Done does.
func (t *Trunk) CloseWith(r *Reason) { panic("soon") }

// Done is closed when the trunk has ended and everything of it is freed.
func (t *Trunk) Done() <-chan struct{} { panic("soon") }

// Err is why the trunk ended, nil while it lives.
func (t *Trunk) Err() error { panic("soon") }

// Streams is how many streams are on the trunk.
func (t *Trunk) Streams() int { panic("soon") }

// IdleSince is when the last stream ended, the zero time while there are any.
func (t *Trunk) IdleSince() time.Time { panic("soon") }

// Fingerprint names the TLS connection, the same at both ends unless somebody
// stands in the middle.
func (t *Trunk) Fingerprint() string { panic("soon") }
