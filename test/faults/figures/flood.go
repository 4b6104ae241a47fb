//go:build linux

package figures

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// floods measures how long peers may write as fast as they can.
func floods(ctx context.Context, w *suite.World) (string, error) {
	const peers = 20
	edge, err := w.Speaker()
	if err != nil {
		return "", err
	}
	var took []time.Duration
	for range peers {
		d, err := flood(ctx, edge)
		if err != nil {
			return "", err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	middle, worst := took[peers/2], took[peers-1]
	got := fmt.Sprintf("%d peers, each cut, after %d ms in the middle, %d ms at most", peers, middle.Milliseconds(), worst.Milliseconds())
	if worst > 100*time.Millisecond {
		return got, &ShortError{"100 ms from the first message on"}
	}
	return got, nil
}

// flood is one link that is greeted and then sends pings without end: how long
// from the first of them until it is cut.
func flood(ctx context.Context, e speak.Edge) (time.Duration, error) {
	id, err := speak.NewIdentity()
	if err != nil {
		return 0, err
	}
	l, err := speak.OpenLink(ctx, e, id)
	if err != nil {
		return 0, err
	}
	defer l.Conn.Close()
	if m, err := l.Hello(id, "host", nil); err != nil || m.Kind != speak.KindWelcome {
		return 0, errors.Join(err, errors.New("not welcome"))
	}
	var pings []byte
	for n := range uint32(100) {
		pings = append(pings, speak.Frame(speak.KindPing, 0, n+1, []byte("{}"))...)
	}
	const patience = 10 * time.Second
	began := time.Now()
	l.Conn.SetDeadline(began.Add(patience))
	go func() { // ends with the link
		for speak.WriteAll(l.Conn, pings) == nil {
		}
	}()
	io.Copy(io.Discard, l.Conn)
	took := time.Since(began)
	if took >= patience {
		return took, fmt.Errorf("a flood is not cut after %s", patience)
	}
	return took, nil
}
