package speak

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"time"
)

// Lane is one, after its TLS: the frames of the envelope and nothing else.
type Lane struct {
	net.Conn
	ID string
}

func laneTLS(id *Identity, name string) *tls.Config {
	c := TrunkTLS(id, name)
	c.NextProtos = []string{laneProtocol}
	return c
}

// Lane meets the host of a trunk again, for one stream.
func (l *Link) Lane(ctx context.Context, e Edge, id *Identity, hostname string, t *Trunk) (*Lane, error) {
	m, err := l.Call(KindTicketRequest, Object{"session": id.Session, "hostname": hostname, "carrier": "lane", "host": t.Host})
	if err != nil || m.Kind != KindTicket {
		return nil, fmt.Errorf("no ticket of a lane: %s: %w", m.Body, err)
	}
	raw, err := e.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, laneTLS(id, e.LabelName(m.Get("label"))))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("meet the host on a lane: %w", err)
	}
	return &Lane{c, m.Get("trunk")}, nil
}

// MeetLane comes to the offer of a lane as its host.
func (e Edge) MeetLane(ctx context.Context, id *Identity, offer Message) (*Lane, error) {
	raw, err := e.come(ctx, offer.Get("label"), laneProtocol)
	if err != nil {
		return nil, err
	}
	c := tls.Server(raw, laneTLS(id, ""))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("meet the client on a lane: %w", err)
	}
	return &Lane{c, offer.Get("trunk")}, nil
}

// Resume asks the edge to let a stream go on with a lane.
func (l *Link) Resume(lane *Lane, t *Trunk, stream []byte) {
	one := Object{"stream": hex.EncodeToString(stream), "trace": RandomHex(8), "from": t.ID}
	l.Say(KindResume, Object{"trunk": lane.ID, "streams": []Object{one}})
}

// Await gives the body of the first frame of a kind.
func (l *Lane) Await(kind byte, patience time.Duration) ([]byte, error) {
	l.SetReadDeadline(time.Now().Add(patience))
	for {
		var h [4]byte
		if _, err := io.ReadFull(l, h[:]); err != nil {
			return nil, fmt.Errorf("no frame %d: %w", kind, err)
		}
		body := make([]byte, binary.BigEndian.Uint32(h[:])&0xffffff)
		if _, err := io.ReadFull(l, body); err != nil {
			return nil, err
		}
		if h[0] == kind {
			return body, nil
		}
	}
}

// AttachAt is ATTACH of a side that has received so much.
func AttachAt(stream []byte, epoch uint32, received uint64) []byte {
	b := binary.BigEndian.AppendUint32(stream[:16:16], epoch)
	return Eframe(EAttach, append(binary.BigEndian.AppendUint64(b, received), 0))
}
