//go:build linux

package stalls

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// halfFrame is the first bytes of DATA that does not go on.
func halfFrame() []byte { return speak.Edata(1000)[:50] }

// stallLaneOfClient has a stream go on with a lane to an honest host, stalls there,
// and says after which time the host has left it.
func stallLaneOfClient(ctx context.Context, s *hostilepeer.Stage) (time.Duration, error) {
	l, t, err := s.Meet(ctx, s.App)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	defer t.Close()
	id, err := t.Stream(l, 1)
	if err != nil {
		return 0, err
	}
	lane, err := l.Lane(ctx, s.Edge, s.ClientID, s.App, t)
	if err != nil {
		return 0, err
	}
	defer lane.Close()
	go t.Await(0xff, time.Hour) // answers pings; ends with the trunk
	l.Resume(lane, t, id)
	speak.WriteAll(lane, speak.Attach(id, 1))
	if _, err := lane.Await(speak.EAttach, 5*time.Second); err != nil {
		return 0, fmt.Errorf("the stream did not move: %w", err)
	}
	speak.WriteAll(lane, halfFrame())
	return speak.Ends(lane, cullWithin)
}

// stallLaneOfHost takes an upload of an honest client until that moves it to a lane,
// stalls there, and says after which time the client has left it.
func stallLaneOfHost(ctx context.Context, s *hostilepeer.Stage) (time.Duration, error) {
	l, t, local, err := s.Host(ctx)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	defer t.Close()
	defer local.Close()
	if _, err := t.Await(speak.EOpen, 10*time.Second); err != nil {
		return 0, err
	}
	speak.WriteAll(t, speak.Yframe(speak.YWindow, speak.YACK, 1, speak.YamuxWindow-speak.YamuxFirst, nil))
	speak.WriteAll(t, speak.Ydata(1, speak.Admit()))
	go io.Copy(local, speak.Zeros{}) // ends with the local connection
	taken := make(chan uint64, 1)
	taking, leave := context.WithCancel(ctx)
	defer leave()
	go func() { taken <- takeAll(taking, t) }() // ends with taking
	offer, err := l.AwaitKind(speak.KindOffer, 10*time.Second)
	if err != nil {
		return 0, fmt.Errorf("no lane was asked for: %w", err)
	}
	lane, err := s.Edge.MeetLane(ctx, s.HostID, offer)
	if err != nil {
		return 0, err
	}
	defer lane.Close()
	word, err := lane.Await(speak.EAttach, 5*time.Second)
	if err != nil {
		return 0, err
	}
	leave()
	speak.WriteAll(lane, speak.AttachAt(word[:16], binary.BigEndian.Uint32(word[16:]), <-taken))
	go t.Await(0xff, time.Hour) // answers pings; ends with the trunk
	speak.WriteAll(lane, halfFrame())
	return speak.Ends(lane, cullWithin)
}

// takeAll takes what comes on stream 1 and acknowledges it, until ctx ends. It
// gives how much came.
func takeAll(ctx context.Context, t *speak.Trunk) (received uint64) {
	for ctx.Err() == nil {
		e, err := t.Next(time.Now().Add(100 * time.Millisecond))
		if err == nil && e.Kind == speak.EData {
			received += uint64(len(e.Body))
			speak.WriteAll(t, speak.Ydata(1, speak.Ack(received, received+speak.Window)))
		}
	}
	return received
}
