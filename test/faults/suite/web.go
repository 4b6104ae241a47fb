//go:build linux

package suite

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/faults/impair"
	"github.com/sallyport/sallyport/test/harness"
	"github.com/sallyport/sallyport/test/nginx"
)

// OpenWeb is Open where links, trunks and lanes of both daemons are in WebSockets:
// behind nginx, which ends TLS, or where that is not installed, behind proxies that
// let no direct form through. behind says which.
func OpenWeb(ctx context.Context, dir string, seed uint64) (w *World, behind string, err error) {
	f := &far{}
	if err := f.serve(ctx, dir); err != nil {
		return nil, "", errors.Join(err, f.close())
	}
	w, err = start(ctx, dir, seed, f, harness.EdgeOptions{Change: func(yaml string) string { return yaml + "\nproxies: [127.0.0.1]\n" }})
	if err != nil {
		return nil, "", errors.Join(err, f.close())
	}
	cancelWorld := w.cancel
	w.cancel = func() { cancelWorld(); f.close() }
	behind, err = w.goBehind(ctx)
	if err != nil {
		return nil, "", errors.Join(err, errors.New(w.Logs()), w.Close())
	}
	return w, behind, nil
}

func (w *World) goBehind(ctx context.Context) (behind string, err error) {
	proxies := []*impair.Proxy{w.clientProxy, w.hostProxy}
	ca := w.edge.CA
	if program, perr := exec.LookPath("nginx"); perr == nil {
		n, err := nginx.Start(ctx, program, filepath.Join(w.Dir, "nginx"), filepath.Join(w.Dir, "logs", "nginx.log"), w.edge)
		if err != nil {
			return "", err
		}
		cancelWorld := w.cancel
		w.cancel = func() { n.Close(); cancelWorld() }
		behind, ca = "nginx", n.CA
		for _, p := range proxies {
			p.Target(n.HTTPS)
		}
	} else {
		behind = "a proxy that refuses the direct forms: nginx is not installed"
		for _, p := range proxies {
			p.Filter(func(c *impair.Conn) bool { return IsLink(c) || Carries(c) })
		}
	}
	if err := errors.Join(w.use(ctx, w.client, w.clientProxy, "--ca", ca), w.use(ctx, w.host, w.hostProxy, "--ca", ca, "--machine")); err != nil {
		return "", err
	}
	for _, p := range proxies {
		p.Cut(nil) // what was direct so far
	}
	for _, d := range []*harness.Daemon{w.client, w.host} {
		if err := d.Await(ctx, "the link in a WebSocket", inWebSocket); err != nil {
			return "", err
		}
	}
	_, err = w.recovered(ctx, 30*time.Second)
	return behind, err
}

func inWebSocket(s api.Status) bool {
	return len(s.Edges) > 0 && s.Edges[0].Link.State == api.LinkOnline && s.Edges[0].Link.Form == "websocket"
}
