//go:build linux

// Package machine measures what is promised about the local machine (L2, L3, L7
// of the project's goals) on the real programs, with two real OS users.
//
// Shapes: Open makes the users and a forward of the first; Ports, Pages and
// Reused are the figures.
//
// Concurrency: one figure at a time.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/test/faults/suite"
	"github.com/sallyport/sallyport/test/harness"
)

// ErrSlow: the check adds too much, or the machine is busy with something else.
var ErrSlow = errors.New("at most 2 ms are to be added to the p99")

// Machine is two OS users beside a World's client.
type Machine struct {
	w        *suite.World
	one, two *harness.User
	// port and socket are forwards of one to a service that sends back what comes.
	port, socket string
}

// Open makes the users and signs the first in.
func Open(ctx context.Context, w *suite.World) (m *Machine, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("skipped: two OS users need root")
	}
	m = &Machine{w: w}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.one, err = m.newUser("one", 0); err != nil {
		return m, err
	}
	if m.two, err = m.newUser("two", 0); err != nil {
		return m, err
	}
	if err := m.reachable(); err != nil {
		return m, err
	}
	d, e := w.Client(), w.Edge()
	if err := m.useEdge(ctx, m.one); err != nil {
		return m, err
	}
	if err := d.SignInAs(ctx, m.one, e, w.Guest(), harness.Loopback); err != nil {
		return m, err
	}
	n, err := harness.FreePort(0)
	if err != nil {
		return m, err
	}
	m.port, m.socket = fmt.Sprintf("127.0.0.1:%d", n), filepath.Join(m.one.Home, "s")
	if err := d.CtlAs(ctx, m.one, "forward", "add", w.EchoApp(), fmt.Sprintf("localhost:%d", n)).Err(); err != nil {
		return m, err
	}
	return m, d.CtlAs(ctx, m.one, "forward", "add", w.EchoApp(), "--unix", m.socket).Err()
}

// reachable lets other users into the world, and gives them the edge's CA there.
func (m *Machine) reachable() error {
	if err := os.Chmod(m.w.Dir, 0o711); err != nil {
		return err
	}
	ca := filepath.Join(m.w.Dir, "ca.pem")
	if m.w.Edge().CA == ca {
		return nil
	}
	b, err := os.ReadFile(m.w.Edge().CA)
	if err != nil {
		return err
	}
	m.w.Edge().CA = ca
	return os.WriteFile(ca, b, 0o644)
}

func (m *Machine) useEdge(ctx context.Context, u *harness.User) error {
	e := m.w.Edge()
	return m.w.Client().CtlAs(ctx, u, "edge", "use", e.Name(), "--ca", e.CA, "--address", e.Address()).Err()
}

// Close removes what Open made.
func (m *Machine) Close() {
	if m.port != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, f := range []string{"localhost" + m.port[len("127.0.0.1"):], "unix:" + m.socket} {
			m.w.Client().CtlAs(ctx, m.one, "forward", "rm", f)
		}
		m.w.Client().CtlAs(ctx, m.one, "logout")
	}
	for _, u := range []*harness.User{m.one, m.two} {
		if u != nil {
			removeUser(u)
		}
	}
}

func removeUser(u *harness.User) { exec.Command("userdel", "-r", u.Name).Run() }

// newUser makes an OS user; uid 0 leaves the number to the system.
func (m *Machine) newUser(name string, uid uint32) (*harness.User, error) {
	u := &harness.User{Name: fmt.Sprintf("spf%d%s", os.Getpid()%100000, name)}
	u.Home = filepath.Join(m.w.Dir, u.Name)
	args := []string{"--no-user-group", "--gid", "nogroup", "--home-dir", u.Home, "--create-home"}
	if uid != 0 {
		args = append(args, "--uid", strconv.Itoa(int(uid)))
	}
	if out, err := exec.Command("useradd", append(args, u.Name)...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("useradd: %w: %s", err, out)
	}
	found, err := user.Lookup(u.Name)
	if err != nil {
		return u, err
	}
	id, err := strconv.ParseUint(found.Uid, 10, 32)
	gid, gerr := strconv.ParseUint(found.Gid, 10, 32)
	u.UID, u.GID = uint32(id), uint32(gid)
	return u, errors.Join(err, gerr)
}

func (m *Machine) as(u *harness.User) (*actor, error) { return as(u.UID, u.GID, m.w.Dir) }

func (m *Machine) doesAs(u *harness.User, o order) (tally, error) {
	a, err := m.as(u)
	if err != nil {
		return tally{}, err
	}
	defer a.close()
	return a.does(o)
}

// Ports is L2: another OS user at a forward, and its owner.
func (m *Machine) Ports(ctx context.Context) (string, error) {
	const foreign, own, atOnce = 10_000, 10_000, 200
	conns, bytes := m.w.Echoed()
	two, err := m.as(m.two)
	if err != nil {
		return "", err
	}
	defer two.close()
	tried, admitted := 0, 0
	for _, o := range []order{
		{Manner: mannerClose, Times: 2400, AtOnce: 1}, {Manner: mannerHalf, Times: 2400, AtOnce: 1}, {Manner: mannerReset, Times: 2400, AtOnce: 1},
		{Manner: mannerFork, Times: 400, AtOnce: 4}, {Manner: mannerEcho, Times: foreign - 7600, AtOnce: atOnce},
	} {
		o.Network, o.Address = "tcp", m.port
		t, err := two.does(o)
		if err != nil {
			return "", err
		}
		tried, admitted = tried+t.Tried, admitted+t.Answered
	}
	one, err := m.as(m.one)
	if err != nil {
		return "", err
	}
	defer one.close()
	if c, b := m.w.Echoed(); c != conns || b != bytes {
		return "", fmt.Errorf("of the other user %d connections and %d bytes came to the service", c-conns, b-bytes)
	}
	mine, err := one.does(order{Network: "tcp", Address: m.port, Manner: mannerEcho, Times: own, AtOnce: 16})
	if err != nil {
		return "", err
	}
	// The same way without the check, a connection at a time, in turns.
	var with, without, medians, bare []time.Duration
	for range 5 {
		for _, o := range []order{{Network: "tcp", Address: m.port}, {Network: "unix", Address: m.socket}} {
			o.Manner, o.Times, o.AtOnce = mannerEcho, 500, 1
			t, err := one.does(o)
			if err != nil {
				return "", err
			}
			if o.Network == "tcp" {
				with, medians = append(with, t.P99), append(medians, t.Median)
			} else {
				without, bare = append(without, t.P99), append(bare, t.Median)
			}
		}
	}
	added := middle(with) - middle(without)
	got := fmt.Sprintf("other user: %d tried, %d admitted, 0 bytes left; owner: %d of %d admitted; a connection p50 %.2f, p99 %.2f ms; by a Unix socket, without the check, %.2f and %.2f ms",
		tried, admitted, mine.Answered, mine.Tried, ms(middle(medians)), ms(middle(with)), ms(middle(bare)), ms(middle(without)))
	switch {
	case admitted > 0:
		return got, errors.New("another user was admitted")
	case tried != foreign || mine.Answered != own:
		return got, fmt.Errorf("the owner is to be admitted each time: %s", mine.Errors)
	case added > 2*time.Millisecond:
		return got, ErrSlow
	}
	return got, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Reused is L7: a user is removed, and another made with the same number.
func (m *Machine) Reused(ctx context.Context) (string, error) {
	d := m.w.Client()
	gone, err := m.newUser("old", 0)
	if err != nil {
		return "", err
	}
	n, err := harness.FreePort(0)
	if err != nil {
		return "", err
	}
	err = errors.Join(
		m.useEdge(ctx, gone),
		d.SignInAs(ctx, gone, m.w.Edge(), m.w.Guest(), harness.Loopback),
		d.CtlAs(ctx, gone, "forward", "add", m.w.EchoApp(), "unix:"+filepath.Join(gone.Home, "s")).Err(),
		d.CtlAs(ctx, gone, "forward", "add", m.w.EchoApp(), fmt.Sprintf("localhost:%d", n)).Err(),
	)
	port := order{Network: "tcp", Address: fmt.Sprintf("127.0.0.1:%d", n), Manner: mannerEcho, Times: 20, AtOnce: 4}
	before, perr := m.doesAs(gone, port)
	err = errors.Join(err, perr)
	removeUser(gone)
	if err != nil {
		return "", err
	}
	next, err := m.newUser("new", gone.UID)
	if err != nil {
		return "", err
	}
	defer removeUser(next)
	after, err := m.doesAs(next, port)
	if err != nil {
		return "", err
	}
	var st api.Status
	if err := d.JSONAs(ctx, next, &st, "status"); err != nil {
		return "", err
	}
	seen := len(st.Forwards) + len(st.Sessions) + len(st.Logins)
	for _, edge := range st.Edges {
		if !edge.Machine {
			seen++
		}
	}
	got := fmt.Sprintf("%d objects of uid %d's former holder are seen; at its port %d of %d connections were answered, %d of %d of the former's",
		seen, next.UID, after.Answered, after.Tried, before.Answered, before.Tried)
	switch {
	case seen > 0 || after.Answered > 0:
		return got, errors.New("the next holder of a number is to have nothing of the former")
	case before.Answered != before.Tried:
		return got, fmt.Errorf("the former holder is to be let in: %s", before.Errors)
	}
	return got, nil
}
