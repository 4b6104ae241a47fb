//go:build linux

package figures

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/faults/hostilepeer"
	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// filler sends on the streams of a trunk all that their windows take.
type filler struct {
	t        *speak.Trunk
	sent     map[uint32]uint64
	kept     map[uint32]bool // get the largest window, and no acknowledgement
	total    int64
	onOpened func(stream uint32)
}

func newFiller(t *speak.Trunk) *filler {
	return &filler{t: t, sent: map[uint32]uint64{}, kept: map[uint32]bool{}}
}

// to sends on a stream up to a limit.
func (f *filler) to(stream uint32, limit uint64) {
	for f.sent[stream] < limit {
		n := min(limit-f.sent[stream], 32<<10)
		speak.WriteAll(f.t, speak.Ydata(stream, speak.Edata(int(n))))
		f.sent[stream] += n
		f.total += int64(n)
	}
}

// keep lets the other end send the most on a stream, and never says that it came.
func (f *filler) keep(stream uint32) {
	f.kept[stream] = true
	speak.WriteAll(f.t, speak.Ydata(stream, speak.Ack(0, speak.MaxWindow)))
}

// run takes what comes until nothing has for two seconds.
func (f *filler) run(ctx context.Context) error {
	for ctx.Err() == nil {
		e, err := f.t.Next(time.Now().Add(2 * time.Second))
		var ne net.Error
		switch {
		case errors.As(err, &ne) && ne.Timeout():
			return nil
		case err != nil:
			return fmt.Errorf("the trunk ended with %d MiB: %w", f.total>>20, err)
		case e.Kind == speak.EVerdict || e.Kind == speak.EOpen:
			f.onOpened(e.Stream)
		case e.Kind == speak.EAck && !f.kept[e.Stream] && len(e.Body) >= 16:
			f.to(e.Stream, binary.BigEndian.Uint64(e.Body[8:]))
		case e.Kind == speak.EData && f.kept[e.Stream]:
			f.total += int64(len(e.Body))
		}
	}
	return context.Cause(ctx)
}

// opening has a client open n streams, no more at once than are borne, and do what
// each is for.
func (f *filler) opening(ctx context.Context, l *speak.Link, n int, each func(stream uint32)) error {
	const atOnce = 50
	number := uint32(1)
	open := func() {
		if n--; n < 0 {
			return
		}
		id := speak.StreamID()
		speak.WriteAll(f.t, append(speak.Yopen(number), speak.Ydata(number, speak.Open(id))...))
		l.Request(f.t.ID, id)
		number += 2
	}
	f.onOpened = func(stream uint32) { each(stream); open() }
	for range atOnce {
		open()
	}
	return f.run(ctx)
}

// fillHost fills windows at the host as its client, and has it keep what an origin
// sends.
func fillHost(ctx context.Context, w *suite.World, s *hostilepeer.Stage) (held func(), sent int64, err error) {
	var open []io.Closer
	held = func() {
		for _, c := range open {
			c.Close()
		}
	}
	for _, x := range []struct {
		app  string
		n    int
		each func(f *filler, stream uint32)
	}{
		{deafApp, windowStreams, func(*filler, uint32) {}},
		{w.LoadApp(), keptStreams, func(f *filler, stream uint32) {
			endless := binary.BigEndian.AppendUint32([]byte{'d'}, uint32(time.Hour.Milliseconds())) // as package load asks for it
			speak.WriteAll(f.t, speak.Ydata(stream, speak.Eframe(speak.EData, endless)))
			f.keep(stream)
		}},
	} {
		l, t, err := s.Meet(ctx, x.app)
		if err != nil {
			held()
			return nil, 0, err
		}
		open = append(open, l, t)
		go l.AwaitKind(0, time.Hour) // answers pings; ends with the link
		f := newFiller(t)
		if err := f.opening(ctx, l, x.n, func(stream uint32) { x.each(f, stream) }); err != nil {
			held()
			return nil, 0, err
		}
		sent += f.total
		go t.Await(0xff, time.Hour) // likewise
	}
	return held, sent, nil
}

// fillClient fills windows at the client as its host, for programs that do not
// read, and has it keep what others write.
func fillClient(ctx context.Context, _ *suite.World, s *hostilepeer.Stage) (held func(), sent int64, err error) {
	l, t, first, err := s.Host(ctx)
	if err != nil {
		return nil, 0, err
	}
	conns := []net.Conn{l, t, first}
	held = func() { load.CloseAll(conns) }
	go l.AwaitKind(0, time.Hour) // answers pings; ends with the link
	f := newFiller(t)
	admit := func(stream uint32) {
		speak.WriteAll(t, speak.Yframe(speak.YWindow, speak.YACK, stream, speak.YamuxWindow-speak.YamuxFirst, nil))
		speak.WriteAll(t, speak.Ydata(stream, speak.Admit()))
	}
	dial := func(n int) error {
		d := net.Dialer{Control: smallBuffers}
		for range n {
			c, err := d.DialContext(ctx, "tcp", s.Forward)
			if err != nil {
				return err
			}
			conns = append(conns, c)
		}
		return nil
	}
	f.onOpened = admit
	dialled := make(chan error, 1)
	go func() { dialled <- dial(windowStreams - 1) }() // ends by itself
	err = errors.Join(f.run(ctx), <-dialled)
	f.onOpened = func(stream uint32) { admit(stream); f.keep(stream) }
	if err == nil {
		err = dial(keptStreams)
	}
	if err == nil {
		for _, c := range conns[len(conns)-keptStreams:] {
			go io.Copy(c, speak.Zeros{}) // ends with the connection
		}
		err = f.run(ctx)
	}
	if err != nil {
		held()
		return nil, 0, err
	}
	go t.Await(0xff, time.Hour) // answers pings; ends with the trunk
	return held, f.total, nil
}
