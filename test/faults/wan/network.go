//go:build linux

package wan

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Near and Far are the addresses of the two ends.
var (
	Near = netip.MustParseAddr("10.99.0.1")
	Far  = netip.MustParseAddr("10.99.0.2")
)

// Path is how packets pass in one direction. Its zero value changes nothing.
type Path struct {
	// Delay is added to each packet; Jitter is the most that chance adds, without
	// changing the order.
	Delay, Jitter time.Duration
	// Loss is the part of the packets that chance loses; Reorder the part that
	// comes late by LateBy, and so behind younger ones.
	Loss, Reorder float64
	LateBy        time.Duration
	// Rate is bits per second, 0 is no limit. Where packets come faster, up to
	// Queue bytes of them wait; 0 is DefaultQueue.
	Rate  int
	Queue int
	// Largest is the size of the largest packet that passes; larger ones vanish
	// without a word (an MTU hole). 0 is no limit.
	Largest int
	// Hole swallows everything.
	Hole bool
}

// DefaultQueue is a large one, of what routers have.
const DefaultQueue = 4 << 20

// Both is the same path for both directions.
func Both(p Path) [2]Path { return [2]Path{p, p} }

// Network joins a near and a far namespace.
type Network struct {
	near, far *Namespace
	devices   [2]*os.File
	pipes     [2]*pipe // up (from near to far), down
	stirred   atomic.Uint32
}

// Join makes a device in each namespace. seed decides what chance does.
func Join(near, far *Namespace, seed uint64) (*Network, error) {
	n := &Network{near: near, far: far}
	for i, end := range []struct {
		ns   *Namespace
		addr netip.Addr
	}{{near, Near}, {far, Far}} {
		err := end.ns.Do(func() (err error) {
			n.devices[i], err = openDevice(end.addr)
			return err
		})
		if err != nil {
			return nil, errors.Join(err, n.close())
		}
	}
	n.pipes[0] = newPipe(n.devices[0], n.devices[1], 2*seed)
	n.pipes[1] = newPipe(n.devices[1], n.devices[0], 2*seed+1)
	return n, nil
}

// Run carries packets until ctx ends; then the devices are gone.
func (n *Network) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i, p := range n.pipes {
		wg.Go(func() { errs[i] = p.take(ctx); cancel() })
		wg.Go(func() { p.give(ctx) })
	}
	<-ctx.Done()
	cancel()
	err := n.close() // ends the reads
	wg.Wait()
	return errors.Join(append(errs, err)...)
}

func (n *Network) close() error {
	var errs []error
	for _, d := range n.devices {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}

// Set gives the paths of packets from now on: up, from near to far, and down.
// Packets on their way keep their time.
func (n *Network) Set(p [2]Path) {
	for i := range p {
		n.pipes[i].set(p[i])
	}
}

// Address gives the near side another address of the network, as a machine gets
// that comes to another place; its routes stay.
func (n *Network) Address(a netip.Addr) error {
	return n.near.Do(func() error { return setAddress(deviceName, a) })
}

// Stir changes something on the near side that no packet meets, an address of
// loopback: its kernel tells programs of it as of any change.
func (n *Network) Stir() error {
	last := byte(1 + n.stirred.Add(1)%250)
	return n.near.Do(func() error { return setAddress(stirredName, netip.AddrFrom4([4]byte{127, 9, 9, last})) })
}

// Down takes the near side's device down, and with it the route; or up again.
func (n *Network) Down(down bool) error {
	return n.near.Do(func() error { return setUp(deviceName, !down) })
}

// Counts are packets of one direction so far.
type Counts struct{ Carried, Lost, Overflowed, Swallowed uint64 }

// Counts gives those of up and down.
func (n *Network) Counts() (up, down Counts) { return n.pipes[0].counted(), n.pipes[1].counted() }
