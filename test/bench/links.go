//go:build linux

package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/sallyport/sallyport/test/harness"
	"github.com/sallyport/sallyport/wire"

	"github.com/sallyport/sallyport/test/bench/load"
	"github.com/sallyport/sallyport/test/bench/table"
)

// idleLinks starts an edge of its own, enrols n hosts of the benchmark's own,
// each with a link that rests, and gives the resident memory that each cost the
// edge, in KiB.
func (b build) idleLinks(ctx context.Context, n int) (table.Figures, error) {
	w, stop, err := b.world(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	edge, err := w.StartEdge(ctx, harness.EdgeOptions{Env: b.env})
	if err != nil {
		return nil, err
	}
	token, err := edge.JoinToken(ctx, "*."+edge.Site, "--uses", fmt.Sprint(n))
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(edge.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	p := path{procs: []process{{table.RoleEdge, edge.Process().PID()}}}
	before := p.settle(ctx)[table.RoleEdge]

	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for range n {
		l, err := idleLink(ctx, edge.Port, roots, &running)
		if err != nil {
			return nil, err
		}
		if _, err := l.Call(ctx, &wire.Enrol{Token: token}); err != nil {
			return nil, fmt.Errorf("enrol: %w", err)
		}
	}
	after := p.settle(ctx)[table.RoleEdge]
	return table.Figures{table.RoleEdge: (after - before) / 1024 / float64(n)}, nil
}

// idleLink opens one link with a key of its own and says hello.
func idleLink(ctx context.Context, port int, roots *x509.CertPool, running *sync.WaitGroup) (*wire.Link, error) {
	key, err := wire.NewDeviceKey()
	if err != nil {
		return nil, err
	}
	cert, err := wire.DeviceCertificate(key)
	if err != nil {
		return nil, err
	}
	raw, err := load.Dial(ctx, net.JoinHostPort("127.0.0.1", fmt.Sprint(port)))
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, wire.LinkClientConfig(cert, "localhost", roots))
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	l := wire.NewLink(conn)
	running.Go(func() { l.Run(ctx, func(uint32, wire.Message) {}) }) // ends with ctx
	boot := make([]byte, 16)
	rand.Read(boot)
	_, err = l.Call(ctx, &wire.Hello{Versions: []int{wire.Version}, Role: wire.RoleHost, BootID: hex.EncodeToString(boot), DeviceName: "bench"})
	if err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	return l, nil
}
