package hostilepeer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// Meet meets an honest host as its client.
func (s *Stage) Meet(ctx context.Context, app string) (*speak.Link, *speak.Trunk, error) {
	l, err := s.link(ctx)
	if err != nil {
		return nil, nil, err
	}
	t, err := l.Trunk(ctx, s.Edge, s.ClientID, app)
	if err != nil {
		l.Close()
		return nil, nil, err
	}
	return l, t, nil
}

// onTrunk meets an honest host as its client, acts, and waits for the end.
func onTrunk(act func(t *speak.Trunk, l *speak.Link) error) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		l, t, err := s.Meet(ctx, s.App)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		defer t.Close()
		if err := act(t, l); err != nil {
			return "", 0, err
		}
		return judgeTrunk(t, within)
	}
}

// judgeTrunk answers pings while it waits for the end.
func judgeTrunk(t *speak.Trunk, within time.Duration) (Outcome, time.Duration, error) {
	start := time.Now()
	for {
		_, err := t.Next(start.Add(within))
		var timeout interface{ Timeout() bool }
		switch {
		case err == nil:
		case errors.As(err, &timeout) && timeout.Timeout():
			return Borne, within, t.Lives()
		default:
			return Cut, time.Since(start), nil
		}
	}
}

// bytesOn writes bytes on a trunk, of which the stream 1 was opened in order.
func bytesOn(b func(id []byte) []byte) play {
	return onTrunk(func(t *speak.Trunk, l *speak.Link) error {
		id, err := t.Stream(l, 1)
		if err == nil {
			speak.WriteAll(t, b(id))
		}
		return err
	})
}

// plainOn writes bytes on a trunk without streams.
func plainOn(b func() []byte) play {
	return onTrunk(func(t *speak.Trunk, _ *speak.Link) error {
		speak.WriteAll(t, b())
		return nil
	})
}

func trunks() []Behaviour {
	cut := []Outcome{Cut}
	b := []Behaviour{
		{Name: "frame of another version", play: plainOn(func() []byte { return append([]byte{9}, speak.Yframe(speak.YPing, speak.YSYN, 0, 0, nil)[1:]...) })},
		{Name: "frame of an unknown type", play: plainOn(func() []byte { return speak.Yframe(9, 0, 0, 0, nil) })},
		{Name: "frame with unknown flags", play: plainOn(func() []byte { return speak.Yframe(speak.YWindow, 0x8000, 1, 0, nil) })},
		{Name: "ping on a stream", play: plainOn(func() []byte { return speak.Yframe(speak.YPing, speak.YSYN, 1, 0, nil) })},
		{Name: "frame of 4 GiB", play: bytesOn(func([]byte) []byte { return speak.Yframe(speak.YData, 0, 1, 1<<32-1, nil) })},
		{Name: "frame of 64 KiB", play: bytesOn(func([]byte) []byte { return speak.Yframe(speak.YData, 0, 1, 65_525, nil) })},
		{Name: "data for a stream never opened", play: plainOn(func() []byte { return speak.Ydata(3, speak.Open(speak.StreamID())) })},
		{Name: "stream with an even id", play: plainOn(func() []byte { return speak.Yopen(2) })},
		{Name: "ids that go down", play: plainOn(func() []byte { return append(speak.Yopen(5), speak.Yopen(3)...) })},
		{Name: "stream opened twice", play: plainOn(func() []byte { return append(speak.Yopen(5), speak.Yopen(5)...) })},
		{Name: "yamux: data after FIN", play: bytesOn(func([]byte) []byte {
			return append(speak.Yframe(speak.YWindow, speak.YFIN, 1, 0, nil), speak.Ydata(1, speak.Edata(1))...)
		})},
		{Name: "ping flood", play: plainOn(func() []byte { return bytes.Repeat(speak.Yframe(speak.YPing, speak.YSYN, 0, 1, nil), 100) })},
		{Name: "window flood", play: floodTrunk(speak.Yframe(speak.YWindow, 0, 1, 1, nil), 200_000)},
		{Name: "go-away flood", play: floodTrunk(speak.Yframe(speak.YGoAway, 0, 0, 0, nil), 200_000)},
		{Name: "stream flood, opened and reset", Within: 5 * time.Second, play: streamFlood(true)},
		{Name: "stream flood", Within: 5 * time.Second, play: streamFlood(false)},
		{Name: "frames for streams that are closed", Within: 5 * time.Second, play: bytesOn(func([]byte) []byte {
			end := append(speak.Yframe(speak.YWindow, speak.YRST, 1, 0, nil), nil...)
			return append(end, bytes.Repeat(speak.Yframe(speak.YWindow, 0, 1, 1, nil), 1000)...)
		})},
		{Name: "unknown frame of the envelope", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, speak.Eframe(99, nil)) })},
		{Name: "data before OPEN", play: plainOn(func() []byte { return append(speak.Yopen(1), speak.Ydata(1, speak.Edata(5))...) })},
		{Name: "OPEN twice", play: bytesOn(func(id []byte) []byte { return speak.Ydata(1, speak.Open(id)) })},
		{Name: "OPEN too short", play: plainOn(func() []byte {
			return append(speak.Yopen(1), speak.Ydata(1, speak.Eframe(speak.EOpen, make([]byte, 5)))...)
		})},
		{Name: "VERDICT from the client", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, speak.Eframe(speak.EVerdict, speak.Words("ok", "", ""))) })},
		{Name: "data of no bytes", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, speak.Eframe(speak.EData, nil)) })},
		{Name: "data longer than allowed", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, []byte{speak.EData, 1, 0, 0}) })},
		{Name: "data beyond the early window", play: plainOn(func() []byte {
			return append(speak.Yopen(1), speak.Ydata(1, append(speak.Open(speak.StreamID()), speak.Edata(speak.EarlyWindow+1)...))...)
		})},
		{Name: "data beyond the window", play: bytesOn(func([]byte) []byte { return bytes.Repeat(speak.Ydata(1, speak.Edata(32<<10)), 1000) })},
		{Name: "data after the FIN", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, append(speak.Eframe(speak.EFin, nil), speak.Edata(1)...)) })},
		{Name: "FIN twice", play: bytesOn(func([]byte) []byte {
			return speak.Ydata(1, append(speak.Eframe(speak.EFin, nil), speak.Eframe(speak.EFin, nil)...))
		})},
		{Name: "ACK beyond what was sent", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, speak.Ack(1<<40, 1<<40+1)) })},
		{Name: "ACK with a limit beyond the largest", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, speak.Ack(0, speak.MaxWindow+1)) })},
		{Name: "ACK too short", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, speak.Eframe(speak.EAck, make([]byte, 3))) })},
		{Name: "RST with words of 5 KiB", play: bytesOn(func([]byte) []byte {
			return speak.Ydata(1, speak.Eframe(speak.ERst, speak.Words("reset", string(bytes.Repeat([]byte("x"), 5000)), "")))
		})},
		{Name: "RST with lines of a log", play: bytesOn(func([]byte) []byte {
			return speak.Ydata(1, speak.Eframe(speak.ERst, speak.Words("reset", "x\nlevel=ERROR msg=owned", "")))
		})},
		{Name: "RST with lengths that lie", play: bytesOn(func([]byte) []byte { return speak.Ydata(1, speak.Eframe(speak.ERst, []byte{200, 'x', 0, 0})) })},
		{Name: "frame that stalls half way", Rests: true, Within: 15 * time.Second, play: onTrunk(func(t *speak.Trunk, l *speak.Link) error {
			_, err := t.Stream(l, 1)
			if err == nil {
				t.Stall()
			}
			return err
		})},
		{Name: "stream without OPEN", Rests: true, Within: 12 * time.Second, play: plainOn(func() []byte { return speak.Yopen(1) })},
		{Name: "a flipped bit", play: func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
			return onTrunk(func(t *speak.Trunk, _ *speak.Link) error {
				_, err := t.Raw().Write(append([]byte{0x17, 3, 3, 0, 100}, make([]byte, 100)...))
				return err
			})(ctx, s, within)
		}},
	}
	for i := range b {
		b[i].Actor, b[i].Victim, b[i].Want = "client", TheHost, cut
	}
	return b
}

// floodTrunk opens a stream and writes a frame over and over.
func floodTrunk(b []byte, n int) play {
	return onTrunk(func(t *speak.Trunk, l *speak.Link) error {
		if _, err := t.Stream(l, 1); err != nil {
			return err
		}
		all := bytes.Repeat(b, 1000)
		for range n / 1000 {
			if speak.WriteAll(t, all) != nil {
				break
			}
		}
		return nil
	})
}

// streamFlood opens streams as fast as it goes.
func streamFlood(reset bool) play {
	return onTrunk(func(t *speak.Trunk, _ *speak.Link) error {
		number := uint32(1)
		for range 50 {
			var all []byte
			for range 1000 {
				all = append(all, speak.Yopen(number)...)
				all = append(all, speak.Ydata(number, speak.Open(speak.StreamID()))...)
				if reset {
					all = append(all, speak.Yframe(speak.YWindow, speak.YRST, number, 0, nil)...)
				}
				number += 2
			}
			if speak.WriteAll(t, all) != nil {
				break
			}
		}
		return nil
	})
}

// openings are behaviours that the host bears or refuses: the trunk goes on.
func openings() []Behaviour {
	borne, refused := []Outcome{Borne}, []Outcome{Refused}
	b := []Behaviour{
		{Name: "an honest stream", Want: borne, play: honest},
		{Name: "ATTACH of an unknown stream", Want: refused, play: opening(speak.ERst, func(t *speak.Trunk, _ *speak.Link) {
			speak.WriteAll(t, append(speak.Yopen(1), speak.Ydata(1, speak.Attach(speak.StreamID(), 1))...))
		})},
		{Name: "OPEN without a request", Want: refused, Within: 12 * time.Second, play: opening(speak.EVerdict, func(t *speak.Trunk, _ *speak.Link) {
			speak.WriteAll(t, append(speak.Yopen(1), speak.Ydata(1, append(speak.Open(speak.StreamID()), speak.Edata(100)...))...))
		})},
		{Name: "400 OPENs without a request", Want: refused, Within: 12 * time.Second, play: opening(speak.EVerdict, func(t *speak.Trunk, _ *speak.Link) {
			for i := range uint32(400) {
				speak.WriteAll(t, append(speak.Yopen(2*i+1), speak.Ydata(2*i+1, speak.Open(speak.StreamID()))...))
			}
		})},
		{Name: "ACK with a limit that goes down", Want: append(borne, Cut), play: bytesOn(func([]byte) []byte { return speak.Ydata(1, append(speak.Ack(0, 1<<20), speak.Ack(0, 1<<16)...)) })},
		{Name: "request without OPEN", Want: borne, play: onTrunk(func(t *speak.Trunk, l *speak.Link) error {
			for range 100 {
				l.Request(t.ID, speak.StreamID())
			}
			return nil
		})},
		{Name: "the id of a live stream again", Want: append(refused, Cut), play: sameID},
		{Name: "another trunk's grant", Want: refused, Within: 13 * time.Second, play: othersGrant},
		{Name: "never reads", Want: []Outcome{Borne, Cut}, Within: 20 * time.Second, play: neverReads},
		{Name: "opens and resets 1,000 granted streams", Want: []Outcome{Borne, Refused}, Within: 20 * time.Second, play: openAndReset},
	}
	for i := range b {
		b[i].Actor, b[i].Victim = "client", TheHost
	}
	return b
}

// opening acts, waits for a frame of the envelope, and wants the trunk to live.
func opening(answer byte, act func(t *speak.Trunk, l *speak.Link)) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		conns := s.OriginConns()
		l, t, err := s.Meet(ctx, s.App)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		defer t.Close()
		start := time.Now()
		act(t, l)
		if _, err := t.Await(answer, within); err != nil {
			return Cut, time.Since(start), err
		}
		d := time.Since(start)
		err = t.Lives()
		if n := s.OriginConns() - conns; n != 0 {
			err = errors.Join(err, fmt.Errorf("%d connections reached the origin", n))
		}
		return Refused, d, err
	}
}

// honest shows that the speaker can do it right: what it says comes back.
func honest(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
	start := time.Now()
	_, _, err := onTrunk(func(t *speak.Trunk, l *speak.Link) error {
		for i := range uint32(20) {
			n := 2*i + 1
			if _, err := t.Stream(l, n); err != nil {
				return err
			}
			speak.WriteAll(t, speak.Ydata(n, append(speak.Eframe(speak.EData, []byte("hello")), speak.Ack(0, speak.Window)...)))
			e, err := t.Await(speak.EData, within)
			if err != nil || string(e.Body) != "hello" {
				return fmt.Errorf("echo is %q: %w", e.Body, err)
			}
			speak.WriteAll(t, speak.Ydata(n, append(speak.Ack(5, speak.Window+5), speak.Eframe(speak.EFin, nil)...)))
			if _, err := t.Await(speak.EFin, within); err != nil {
				return fmt.Errorf("no FIN: %w", err)
			}
			speak.WriteAll(t, append(speak.Ydata(n, speak.Ack(6, speak.Window+5)), speak.Yframe(speak.YWindow, speak.YFIN, n, 0, nil)...))
		}
		return nil
	})(ctx, s, 100*time.Millisecond)
	return Borne, time.Since(start), err
}

// sameID opens a second carrier with the id of a stream that lives.
func sameID(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
	out := Refused
	start := time.Now()
	_, _, err := onTrunk(func(t *speak.Trunk, l *speak.Link) error {
		id, err := t.Stream(l, 1)
		if err != nil {
			return err
		}
		conns := s.OriginConns()
		speak.WriteAll(t, append(speak.Yopen(3), speak.Ydata(3, speak.Open(id))...))
		l.Request(t.ID, id)
		deadline := time.Now().Add(within)
		for {
			e, err := t.Next(deadline)
			if err != nil {
				out = Cut
				return nil
			}
			if e.Stream == 3 && (e.Kind == speak.ERst || e.Kind == speak.EVerdict) {
				break
			}
		}
		if n := s.OriginConns() - conns; n != 0 {
			return fmt.Errorf("%d more connections to the origin", n)
		}
		return nil
	})(ctx, s, 100*time.Millisecond)
	return out, time.Since(start), err
}

// othersGrant opens on one trunk what was granted on another of the same key.
func othersGrant(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
	return opening(speak.EVerdict, func(t *speak.Trunk, l *speak.Link) {
		second, err := l.Trunk(ctx, s.Edge, s.ClientID, s.App)
		if err != nil {
			return
		}
		id := speak.StreamID()
		l.Request(second.ID, id)
		speak.WriteAll(t, append(speak.Yopen(1), speak.Ydata(1, speak.Open(id))...))
		go func() { // ends with its trunk
			defer second.Close()
			judgeTrunk(second, within)
		}()
	})(ctx, s, within)
}

// neverReads opens streams, lets the origin echo a lot, and reads nothing: what
// the host keeps must be bounded.
func neverReads(ctx context.Context, s *Stage, _ time.Duration) (Outcome, time.Duration, error) {
	start := time.Now()
	out, _, err := onTrunk(func(t *speak.Trunk, l *speak.Link) error {
		for i := range uint32(50) {
			if _, err := t.Stream(l, 2*i+1); err != nil {
				return err
			}
		}
		for i := range uint32(50) {
			speak.WriteAll(t, speak.Ydata(2*i+1, speak.Ack(0, speak.MaxWindow)))
			speak.WriteAll(t, speak.Ydata(2*i+1, speak.Edata(32<<10)))
		}
		select {
		case <-time.After(3 * time.Second):
		case <-ctx.Done():
		}
		return nil
	})(ctx, s, quick)
	return out, time.Since(start), err
}

// openAndReset asks for streams, opens them and resets them at once.
func openAndReset(ctx context.Context, s *Stage, _ time.Duration) (Outcome, time.Duration, error) {
	start := time.Now()
	out, _, err := onTrunk(func(t *speak.Trunk, l *speak.Link) error {
		for i := range uint32(1000) {
			n, id := 2*i+1, speak.StreamID()
			l.Request(t.ID, id)
			b := append(speak.Yopen(n), speak.Ydata(n, append(speak.Open(id), speak.Eframe(speak.ERst, speak.Words("reset", "", ""))...))...)
			if err := speak.WriteAll(t, append(b, speak.Yframe(speak.YWindow, speak.YFIN, n, 0, nil)...)); err != nil {
				return nil
			}
		}
		return nil
	})(ctx, s, quick)
	return out, time.Since(start), err
}
