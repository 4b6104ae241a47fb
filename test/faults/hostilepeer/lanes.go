package hostilepeer

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// halfFrame is the first bytes of DATA that does not go on.
func halfFrame() []byte { return speak.Edata(1000)[:50] }

// lanes are behaviours on the one connection of a stream that left its trunk.
func lanes() []Behaviour {
	cut := []Outcome{Cut}
	return []Behaviour{
		{Name: "frame that stalls half way on a lane", Actor: "client", Victim: TheHost, Want: cut, Within: 15 * time.Second, play: clientLane(halfFrame)},
		{Name: "frame that stalls half way on a lane, from a host", Actor: "host", Victim: TheClient, Want: cut, Within: 15 * time.Second, play: onAdmitted(hostLane(halfFrame))},
	}
}

// clientLane has a stream go on with a lane, and writes bytes there.
func clientLane(b func() []byte) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		l, t, err := s.Meet(ctx, s.App)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		defer t.Close()
		id, err := t.Stream(l, 1)
		if err != nil {
			return "", 0, err
		}
		lane, err := l.Lane(ctx, s.Edge, s.client, s.App, t)
		if err != nil {
			return "", 0, err
		}
		defer lane.Close()
		go judgeTrunk(t, time.Minute) // answers pings; ends with the trunk
		l.Resume(lane, t, id)
		speak.WriteAll(lane, speak.Attach(id, 1))
		if _, err := lane.Await(speak.EAttach, 5*time.Second); err != nil {
			return "", 0, fmt.Errorf("the stream did not move: %w", err)
		}
		speak.WriteAll(lane, b())
		return judge(lane, within, nil)
	}
}

// hostLane takes an upload until the client moves it to a lane, and writes bytes
// there.
func hostLane(b func() []byte) func(context.Context, *scene, time.Duration) (Outcome, time.Duration, error) {
	return func(ctx context.Context, sc *scene, within time.Duration) (Outcome, time.Duration, error) {
		go io.Copy(sc.local, speak.Zeros{}) // ends with the local connection
		taken := make(chan uint64, 1)
		stop, leave := context.WithCancel(ctx)
		defer leave()
		go func() { taken <- sc.takeAll(stop) }() // ends with stop or the trunk
		offer, err := sc.link.AwaitKind(speak.KindOffer, 10*time.Second)
		if err != nil {
			return "", 0, fmt.Errorf("no lane was asked for: %w", err)
		}
		lane, err := sc.stage.Edge.MeetLane(ctx, sc.stage.host, offer)
		if err != nil {
			return "", 0, err
		}
		sc.came = append(sc.came, lane)
		word, err := lane.Await(speak.EAttach, 5*time.Second)
		if err != nil {
			return "", 0, err
		}
		leave()
		speak.WriteAll(lane, speak.AttachAt(word[:16], binary.BigEndian.Uint32(word[16:]), <-taken))
		go judgeTrunk(sc.trunk, time.Minute) // answers pings; ends with the trunk
		speak.WriteAll(lane, b())
		return judge(lane, within, nil)
	}
}

// takeAll takes what comes on stream 1 and acknowledges it, until ctx ends. It
// gives how much came.
func (sc *scene) takeAll(ctx context.Context) (received uint64) {
	for ctx.Err() == nil {
		e, err := sc.trunk.Next(time.Now().Add(100 * time.Millisecond))
		if err == nil && e.Kind == speak.EData {
			received += uint64(len(e.Body))
			speak.WriteAll(sc.trunk, speak.Ydata(1, speak.Ack(received, received+speak.InitialWindow)))
		}
	}
	return received
}
