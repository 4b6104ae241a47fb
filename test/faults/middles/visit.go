//go:build linux

package middles

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/faults/portal"
	"github.com/sallyport/sallyport/test/faults/wan"
	"github.com/sallyport/sallyport/test/harness"
)

// visit is a client of its own at one middle.
type visit struct {
	*place
	m      hostileMiddle
	middle *portal.Middle
	client *harness.Daemon
	token  string
}

// play signs a client in through the middle while it is honest, and restarts it
// behind the hostile one, as a machine that wakes up there.
func (p *place) play(ctx context.Context, name string, m hostileMiddle) (got outcome, err error) {
	life, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	v := &visit{place: p, m: m}
	if err := v.listen(); err != nil {
		return got, err
	}
	wg.Go(func() { v.middle.Run(life) })
	defer p.names.Say(wan.Far)
	if err := v.signIn(ctx, name); err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, v.client.Process().Stop()) }()
	if err := v.learn(ctx); err != nil {
		return got, err
	}
	got.told, err = v.tell(ctx)
	got.right = err == nil
	leaks := v.leaks()
	got.leaks = len(leaks)
	err = errors.Join(append(leaks, err)...)
	var berr error
	got.back, berr = v.comeBack(ctx)
	return got, errors.Join(err, berr)
}

// listen opens the middle where its client will meet it.
func (v *visit) listen() error {
	if v.m.way != byName {
		l, err := net.Listen("tcp4", netip.AddrPortFrom(wan.Far, 0).String())
		if err == nil {
			v.middle = portal.New(l, v.honest())
		}
		return err
	}
	return v.w.Inside(func() error {
		l, err := net.Listen("tcp4", netip.AddrPortFrom(near4, uint16(v.edge.Port)).String())
		if err == nil {
			v.middle = portal.New(l, portal.Silence)
		}
		return err
	})
}

// honest is the middle as it leads to the edge.
func (v *visit) honest() portal.Trick { return v.lead(portal.Pass(v.edge.Address())) }

// lead goes on to next, as a proxy where it is one.
func (v *visit) lead(next portal.Trick) portal.Trick {
	if v.m.way == byProxy {
		return portal.Connect(next)
	}
	return next
}

func (v *visit) signIn(ctx context.Context, name string) (err error) {
	if err := v.w.Inside(func() (err error) {
		v.client, err = v.w.StartDaemon(ctx, name, harness.DaemonOptions{})
		return err
	}); err != nil {
		return err
	}
	args, proxy := []string{"edge", "use", v.edge.Name(), "--ca", v.trusted}, ""
	switch v.m.way {
	case byProxy:
		args = append(args, "--address", fmt.Sprintf("%s:%d", wan.Far, v.edge.Port), "--proxy", "-")
		proxy = "http://" + proxyUser + ":" + proxyPassword + "@" + v.middle.Addr()
	case byAddress:
		args = append(args, "--address", v.middle.Addr())
	case byName:
		v.names.Say(wan.Far)
	}
	if err := v.client.CtlInput(ctx, proxy, args...).Err(); err != nil {
		return err
	}
	return v.client.SignIn(ctx, v.edge, v.w.Guest(), harness.TypedCode)
}

// restart is the machine that sleeps while something changes, and wakes up.
func (v *visit) restart(ctx context.Context, change func() error) (woke time.Time, err error) {
	if err := v.client.Process().Stop(); err != nil {
		return woke, err
	}
	if err := change(); err != nil {
		return woke, err
	}
	woke = time.Now()
	return woke, v.w.Inside(func() error { return v.client.Start(ctx) })
}

// learn stands in for the edge, by its own CA, until it is shown the token that
// the client has: a secret must be known to be looked for.
func (v *visit) learn(ctx context.Context) error {
	config, err := v.own.Server(v.edge.Host, v.now.Add(-time.Hour), v.now.Add(time.Hour), "sallyport/1")
	if err != nil {
		return err
	}
	tokens := make(chan string, 1)
	if _, err := v.restart(ctx, func() error {
		if v.m.way == byName {
			v.names.Say(near4)
		}
		v.middle.Turn(v.lead(portal.Hello(config, tokens)))
		return nil
	}); err != nil {
		return err
	}
	select {
	case v.token = <-tokens:
	case <-time.After(patience):
	case <-ctx.Done():
	}
	heard := v.middle.Heard()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(proxyUser+":"+proxyPassword))
	switch {
	case v.token == "" || !heard.Has(v.token) || heard.Devices == 0:
		return fmt.Errorf("a trusted edge was shown neither token nor key: nothing can be looked for (%d connections)", heard.Conns)
	case v.m.way == byProxy && heard.Shown != basic:
		return fmt.Errorf("the proxy was shown %q", heard.Shown)
	}
	return nil
}

// tell says how long it takes until the first reason is shown.
func (v *visit) tell(ctx context.Context) (time.Duration, error) {
	woke, err := v.restart(ctx, func() error {
		if v.m.trick != nil {
			v.middle.Turn(v.m.trick)
		} else {
			v.middle.Turn(v.honest())
		}
		if v.m.spoil != nil {
			return v.m.spoil()
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var shown *api.Problem
	err = v.client.Await(ctx, "a reason", func(s api.Status) bool {
		if len(s.Edges) == 1 {
			shown = s.Edges[0].Link.Problem
		}
		return shown != nil
	})
	told := time.Since(woke)
	if err == nil {
		err = v.m.judge(shown)
	}
	if err == nil && !v.m.unmet && v.middle.Heard().Conns == 0 {
		err = errors.New("the client did not meet it")
	}
	return told, err
}

// leaks are the secrets that came to the middle, or to where it sends people.
func (v *visit) leaks() (found []error) {
	heard, elsewhere := v.middle.Heard(), v.elsewhere.Heard()
	pair := base64.StdEncoding.EncodeToString([]byte(proxyUser + ":" + proxyPassword))
	for what, secret := range map[string]string{"session token": v.token, "proxy's password": proxyPassword, "proxy's credentials": pair} {
		if heard.Has(secret) || elsewhere.Has(secret) {
			found = append(found, fmt.Errorf("sent: the %s", what))
		}
	}
	if heard.Devices > 0 {
		found = append(found, errors.New("the device's certificate was sent"))
	}
	if elsewhere.Conns > 0 {
		found = append(found, errors.New("the page elsewhere was asked for"))
	}
	if v.m.way != byProxy && heard.Shown != "" {
		found = append(found, errors.New("credentials for a proxy were sent to no proxy"))
	}
	return found
}

// comeBack lets the way be free, which the client's kernel tells of as of any
// change of its network, and says how long it takes until the link is online. The
// worst moment is the beginning of another attempt that hangs.
func (v *visit) comeBack(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if v.m.code == api.CodeEdgeTimeout {
		if err := v.client.Await(ctx, "another attempt", func(s api.Status) bool {
			return len(s.Edges) == 1 && s.Edges[0].Link.State == api.LinkConnecting
		}); err != nil {
			return 0, err
		}
	}
	freed := time.Now()
	v.middle.Turn(v.honest())
	if v.m.mend != nil {
		if err := v.m.mend(); err != nil {
			return 0, err
		}
	}
	if err := v.w.Network().Stir(); err != nil {
		return 0, err
	}
	err := v.client.Await(ctx, "the link and its session", func(s api.Status) bool {
		return len(s.Edges) == 1 && s.Edges[0].Link.State == api.LinkOnline && s.Edges[0].Link.Problem == nil &&
			len(s.Sessions) == 1 && s.Sessions[0].State == api.SessionActive
	})
	return time.Since(freed), err
}
