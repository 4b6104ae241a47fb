//go:build linux

package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/paths"
	"github.com/sallyport/sallyport/test/harness"
)

// ErrLate: the owner's calls wait for what others do to the control API.
var ErrLate = errors.New("the owner's p99 is to be below 50 ms")

// Those who call, in the order of the columns of controlRows. All but the owner
// of the things are others to them.
const (
	asOwner = iota
	asOther // another plain user
	asGroup // a member of the administrators' group
	asRoot
)

// ownApp is what the owner's forward leads to: no answer to others has it.
const ownApp = "secret-app.site.com"

// control is a daemon of its own, whose things are asked for.
type control struct {
	*Machine
	daemon *harness.Daemon
	three  *harness.User // an administrator by group
	actors [4]*actor     // by column
	ids    map[string]string
}

// Control is L1: every route by everybody, 10,000 calls of those whose things
// they are not, and the owner's calls beside a flood.
func (m *Machine) Control(ctx context.Context) (got string, err error) {
	c := &control{Machine: m, ids: map[string]string{}}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.open(ctx); err != nil {
		return "", err
	}
	foreign, err := c.foreign(ctx)
	if err != nil {
		return "", err
	}
	unknown, err := c.unknown(ctx)
	if err != nil {
		return "", err
	}
	walked := 0
	for _, column := range []int{asGroup, asRoot, asOwner} {
		if err := c.furnish(ctx); err != nil {
			return "", err
		}
		t, err := c.actors[column].does(order{Address: c.daemon.Socket, Calls: c.calls(column, true), Times: 1, Hide: c.hidden(column)})
		if err != nil {
			return "", err
		}
		if t.Answered != t.Tried {
			return "", fmt.Errorf("%s: %s", columns[column], t.Errors)
		}
		walked += t.Tried
	}
	got = fmt.Sprintf("%d routes; %d calls of another user (half with forged headers) and %d of an unknown one, all refused or about their own; %d of administrator, root and owner as specified",
		len(routesServed()), foreign, unknown, walked)
	crowd, err := c.crowd(ctx)
	return got + "; " + crowd, err
}

var columns = [...]string{"the owner", "another user", "an administrator by group", "root"}

func (c *control) open(ctx context.Context) (err error) {
	if c.daemon, err = c.w.StartDaemon(ctx, "control", harness.DaemonOptions{}); err != nil {
		return err
	}
	if out, err := exec.Command("groupadd", "-f", paths.AdminGroup).CombinedOutput(); err != nil {
		return fmt.Errorf("groupadd: %w: %s", err, out)
	}
	if c.three, err = c.newUser("three", 0); err != nil {
		return err
	}
	if out, err := exec.Command("usermod", "-a", "-G", paths.AdminGroup, c.three.Name).CombinedOutput(); err != nil {
		return fmt.Errorf("usermod: %w: %s", err, out)
	}
	for i, u := range []*harness.User{c.one, c.two, c.three, {}} { // the last is root
		if c.actors[i], err = c.as(u); err != nil {
			return err
		}
	}
	e := c.w.Edge()
	for _, more := range [][]string{{"--machine"}, nil} {
		u := c.one
		if more != nil {
			u = nil
		}
		if err := c.daemon.CtlAs(ctx, u, append([]string{"edge", "use", e.Name(), "--ca", e.CA, "--address", e.Address()}, more...)...).Err(); err != nil {
			return err
		}
	}
	if err := c.daemon.SignInAs(ctx, c.one, e, c.w.Guest(), harness.Loopback); err != nil {
		return err
	}
	return c.furnish(ctx)
}

func (c *control) close() error {
	for _, a := range c.actors {
		if a != nil {
			a.close()
		}
	}
	if c.three != nil {
		removeUser(c.three)
	}
	if c.daemon == nil {
		return nil
	}
	return c.daemon.Process().Stop()
}

// furnish makes what the routes are asked for, where it is not there, and notes
// the ids.
func (c *control) furnish(ctx context.Context) error {
	e := c.w.Edge()
	ca, err := os.ReadFile(e.CA)
	if err != nil {
		return err
	}
	edge := fmt.Sprintf(`{"name":%q,"address":%q,"ca_pem":%q}`, e.Name(), e.Address(), ca)
	for _, make := range []struct {
		column         int
		word, route    string
		body           string
		upgrade, known bool // known: one that is there serves
	}{
		{asOwner, "OWNEDGE", "/edges", edge, false, false},
		{asRoot, "MACHINE", "/edges", strings.Replace(edge, "{", `{"machine":true,`, 1), false, false},
		{asOwner, "FORWARD", "/forwards", `{"hostname":"` + ownApp + `","listen":"localhost:19999","paused":true}`, false, true},
		{asRoot, "TUNNEL", "/tunnels", `{"hostname":"b.site.com","origin":"tcp://localhost:1"}`, false, true},
		{asOwner, "LOGIN", "/logins", `{"mode":"code"}`, false, false},
		{asOwner, "STREAM", "/streams", `{"hostname":"` + c.w.EchoApp() + `"}`, true, false},
	} {
		t, err := c.actors[make.column].does(order{Address: c.daemon.Socket, Times: 1,
			Calls: []call{{Method: "POST", Path: api.Prefix + make.route, Body: make.body, Upgrade: make.upgrade}}})
		if err != nil {
			return err
		}
		a := t.Answers[0]
		switch {
		case a.Code == 409 && make.known:
		case a.Code == 201 || a.Code == 101:
			c.ids[make.word] = filepath.Base(a.Location)
		default:
			return fmt.Errorf("POST %s: %d: %s%s", make.route, a.Code, a.Line, t.Errors)
		}
	}
	t, err := c.actors[asOwner].does(order{Address: c.daemon.Socket, Times: 1, Calls: []call{{Method: "GET", Path: api.Prefix + "/sessions"}}})
	if err != nil {
		return err
	}
	var sessions []api.Session
	if err := json.Unmarshal([]byte(t.Answers[0].Line), &sessions); err != nil || len(sessions) == 0 {
		return fmt.Errorf("the owner's sessions: %w: %s", err, t.Answers[0].Line)
	}
	c.ids["SESSION"] = sessions[0].ID
	return nil
}

// calls are the calls of one column, with the ids of the owner's things.
func (c *control) calls(column int, undo bool) []call {
	var words []string
	for word, id := range c.ids {
		words = append(words, word, id)
	}
	ids := strings.NewReplacer(append(words, "EDGENAME", c.w.Edge().Name(), "ECHOAPP", c.w.EchoApp())...)
	var list []call
	for _, row := range controlRows {
		method, path, _ := strings.Cut(row.route, " ")
		if row.path != "" {
			path = row.path
		}
		list = append(list, call{Method: method, Path: api.Prefix + ids.Replace(path), Body: ids.Replace(row.body),
			Upgrade: row.upgrade, Undo: undo && row.undo, Want: row.want[column]})
	}
	return list
}

// hidden is what no answer to a column may tell of.
func (c *control) hidden(column int) []string {
	switch column {
	case asOwner:
		return nil
	case asRoot: // who sees the forwards of all
		return []string{c.ids["LOGIN"], c.ids["SESSION"], c.ids["OWNEDGE"]}
	}
	return []string{c.ids["LOGIN"], c.ids["SESSION"], c.ids["OWNEDGE"], c.ids["FORWARD"], ownApp}
}

// forged are headers by which proxies tell whose a request is.
var forged = map[string]string{
	"X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "root", "X-Real-IP": "127.0.0.1", "X-Remote-User": "root", "Remote-User": "root",
	"Forwarded": "for=127.0.0.1;by=root", "X-UID": "0", "X-Original-URL": "/v1/version", "X-HTTP-Method-Override": "GET", "Authorization": "Basic cm9vdDo=",
}

// foreign makes 10,000 calls as another user; nothing of the owner's changes.
func (c *control) foreign(ctx context.Context) (calls int, err error) {
	before, err := c.owned(ctx)
	if err != nil {
		return 0, err
	}
	list := c.calls(asOther, true)
	rounds := 5_000/len(list) + 1
	for _, headers := range []map[string]string{nil, forged} {
		t, err := c.actors[asOther].does(order{Address: c.daemon.Socket, Calls: list, Times: rounds, AtOnce: 8, Headers: headers, Hide: c.hidden(asOther)})
		if err != nil {
			return calls, err
		}
		if calls += t.Tried; t.Answered != t.Tried {
			return calls, fmt.Errorf("%d of %d calls of another user are not answered as specified, for one: %s", t.Tried-t.Answered, t.Tried, t.Errors)
		}
	}
	after, err := c.owned(ctx)
	if err == nil && before != after {
		err = fmt.Errorf("what belongs to the owner has changed: %s; it was %s", after, before)
	}
	return calls, err
}

// owned is everything of the owner and of the machine.
func (c *control) owned(ctx context.Context) (string, error) {
	var all []string
	for _, u := range []*harness.User{c.one, nil} {
		var st api.Status
		if err := c.daemon.JSONAs(ctx, u, &st, "status"); err != nil {
			return "", err
		}
		for _, f := range st.Forwards {
			if f.Owner == c.one.Name {
				all = append(all, f.ID, f.Hostname, f.Listen, fmt.Sprint(f.Paused, f.HTTP))
			}
		}
		for _, e := range st.Edges {
			all = append(all, e.ID, e.Name, e.Address)
		}
		for _, l := range st.Logins {
			all = append(all, l.ID)
		}
		for _, s := range st.Sessions {
			all = append(all, s.ID, string(s.State))
		}
		for _, t := range st.Tunnels {
			all = append(all, t.ID, t.Hostname, t.Origin, fmt.Sprint(t.Paused))
		}
	}
	slices.Sort(all)
	return strings.Join(all, " "), nil
}

// unknown calls every route of a daemon in a user namespace, to which the caller
// is nobody that it knows.
func (c *control) unknown(ctx context.Context) (calls int, err error) {
	dir := filepath.Join(c.w.Dir, "apart")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, err
	}
	socket := filepath.Join(dir, "d.sock")
	cmd := exec.Command(c.w.Programs.Daemon, "run", "--state", filepath.Join(dir, "state"), "--socket", socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{Size: 1}}, GidMappings: []syscall.SysProcIDMap{{Size: 1}}}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	if err := harness.Poll(ctx, "the daemon in a namespace", func() (bool, error) {
		_, err := os.Stat(socket)
		return err == nil, err
	}); err != nil {
		return 0, err
	}
	list := c.calls(asOther, false)
	for i := range list {
		list[i].Want, list[i].Upgrade = 403, false
	}
	t, err := c.actors[asOther].does(order{Address: socket, Calls: list, Times: 10, AtOnce: 4, Headers: forged})
	if err == nil && t.Answered != t.Tried {
		err = fmt.Errorf("a caller without identity: %s", t.Errors)
	}
	return t.Tried, err
}

// crowd lets others hold 10,000 connections and send bodies of 64 MiB, and times
// the owner's calls meanwhile.
func (c *control) crowd(ctx context.Context) (string, error) {
	const idlers, each = 11, 1_000 // below what one user may hold
	held := 0
	for i := range uint32(idlers) {
		a, err := c.as(&harness.User{UID: 61_000 + i, GID: 61_000})
		if err != nil {
			return "", err
		}
		defer a.close()
		t, err := a.does(order{Address: c.daemon.Socket, Manner: mannerStay, Times: each, AtOnce: 16})
		if err != nil {
			return "", err
		}
		held += t.Answered
	}
	poured := make(chan tally, 1)
	go func() { // ends with its order
		t, err := c.actors[asOther].does(order{Address: c.daemon.Socket, Manner: mannerPour, Times: 200, AtOnce: 4})
		if err != nil {
			t.Errors = err.Error()
		}
		poured <- t
	}()
	list := []call{{Method: "GET", Path: api.Prefix + "/status", Want: 200}, {Method: "GET", Path: api.Prefix + "/forwards", Want: 200}}
	mine, err := c.actors[asOwner].does(order{Address: c.daemon.Socket, Calls: list, Times: 1_000, AtOnce: 1})
	pours := <-poured
	if err != nil {
		return "", err
	}
	got := fmt.Sprintf("beside %d idle connections and %d of %d bodies of 64 MiB refused: the owner's call p50 %.1f, p99 %.1f ms",
		held, pours.Answered, pours.Tried, ms(mine.Median), ms(mine.P99))
	switch {
	case held < 10_000:
		return got, errors.New("10,000 idle connections are wanted")
	case pours.Answered != pours.Tried:
		return got, fmt.Errorf("a body of 64 MiB is to be refused: %s", pours.Errors)
	case mine.Answered != mine.Tried:
		return got, fmt.Errorf("the owner: %s", mine.Errors)
	case mine.P99 >= 50*time.Millisecond:
		return got, ErrLate
	}
	return got, nil
}
