//go:build linux

package middles

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/portal"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/faults/wan"
	"github.com/sallyport/sallyport/test/harness"
)

// foreignName is an authority that nobody trusts.
const foreignName = "Hotel Inspection CA"

// near4 and near6 are where another than the edge is, on the client's side.
var near4, near6 = netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()

// place is where hostile middles stand: a network with a name server, and
// authorities of certificates.
type place struct {
	w    *suite.World
	edge *harness.Edge
	now  time.Time
	// own signs as the edge's CA does. The clients trust past, too; nobody trusts foreign.
	own, past, foreign *portal.Authority
	trusted            string // the file of own and past
	names              *portal.Names
	elsewhere          *portal.Middle // where a portal's page would be

	stop   context.CancelFunc
	wg     sync.WaitGroup
	undone []func() error
}

func openPlace(ctx context.Context, w *suite.World) (*place, error) {
	life, stop := context.WithCancel(ctx)
	p := &place{w: w, edge: w.Edge(), now: time.Now(), stop: stop}
	if err := errors.Join(p.authorities(), p.network(life)); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *place) close() error {
	p.stop()
	p.wg.Wait()
	var errs []error
	for _, undo := range p.undone {
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}

func (p *place) authorities() (err error) {
	dir := filepath.Dir(p.edge.CA)
	if p.own, err = portal.ReadAuthority(p.edge.CA, filepath.Join(dir, "ca.key")); err != nil {
		return err
	}
	if p.past, err = portal.NewAuthority("An edge of the past", p.now.AddDate(-3, 0, 0), p.now.AddDate(1, 0, 0)); err != nil {
		return err
	}
	if p.foreign, err = portal.NewAuthority(foreignName, p.now.AddDate(-1, 0, 0), p.now.AddDate(1, 0, 0)); err != nil {
		return err
	}
	p.trusted = filepath.Join(p.w.Dir, "trusted.pem")
	return os.WriteFile(p.trusted, append(p.own.PEM(), p.past.PEM()...), 0o644)
}

// network opens what all cases share.
func (p *place) network(life context.Context) error {
	conn, err := net.ListenPacket("udp4", netip.AddrPortFrom(wan.Far, 53).String())
	if err != nil {
		return err
	}
	p.names = portal.NewNames(conn)
	p.wg.Go(func() { p.names.Run(life) })
	undo, err := portal.Ask(p.w.Dir, wan.Far)
	if err != nil {
		return err
	}
	p.undone = append(p.undone, undo)
	l, err := net.Listen("tcp4", netip.AddrPortFrom(wan.Far, 0).String())
	if err != nil {
		return err
	}
	p.elsewhere = portal.New(l, portal.Silence)
	p.wg.Go(func() { p.elsewhere.Run(life) })
	return p.w.Inside(func() error {
		fill, err := portal.Hole6(p.edge.Port)
		if err == nil {
			p.undone = append(p.undone, func() error { fill(); return nil })
		}
		return err
	})
}

// say lets the edge's name lead to addresses.
func (p *place) say(addrs ...netip.Addr) func() error {
	return func() error { p.names.Say(addrs...); return nil }
}
