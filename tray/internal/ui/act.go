package ui

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/tray/internal/menu"
)

// job is a click and what was known when it came.
type job struct {
	menu.Action
	status api.Status
}

// perform begins what an action asks for; false means to quit.
func (t *Tray) perform(a menu.Action) bool {
	switch a.Kind {
	case menu.Nothing:
	case menu.Quit:
		return false
	case menu.SignIn:
		poke(t.signIns)
	case menu.Elsewhere:
		poke(t.codes)
	default:
		select {
		case t.jobs <- job{a, t.view.Status}:
		default:
			t.view.Note = "Too many clicks at once"
		}
	}
	return true
}

// work carries one click out after the other.
func (t *Tray) work(ctx context.Context) {
	for {
		var j job
		select {
		case <-ctx.Done():
			return
		case j = <-t.jobs:
		}
		call, cancel := context.WithTimeout(ctx, callTime)
		note, err := t.carryOut(call, j)
		cancel()
		if err != nil {
			t.Log.Warn("a click failed", "action", string(j.Kind), "error", err)
			note = message(err)
		}
		t.say(ctx, note)
	}
}

// message is an error as the menu says it: what, and the next step.
func message(err error) string {
	var p *api.Problem
	if errors.As(err, &p) && p.Hint != "" {
		return p.Error() + ". " + p.Hint
	}
	return err.Error()
}

// carryOut does what a click asks for and gives a line to show.
func (t *Tray) carryOut(ctx context.Context, j job) (string, error) {
	switch j.Kind {
	case menu.Pause, menu.Resume:
		return "", t.pause(ctx, j.Kind == menu.Pause, j.Target)
	case menu.PauseAll, menu.ResumeAll:
		return "", t.pauseAll(ctx, j.Kind == menu.PauseAll)
	case menu.Copy:
		return "Copied " + j.Target, t.Copy(ctx, j.Target)
	case menu.AddForward:
		return t.addForward(ctx, j)
	case menu.UseEdge:
		return "", t.useEdge(ctx, j)
	case menu.Portal:
		e := edgeNamed(j.status, j.Target)
		return "", t.Open(ctx, browser.Portal(e), e)
	case menu.OpenLogin:
		return "", t.openLogin(ctx, j)
	case menu.SignOut:
		return "Signed out", t.signOut(ctx)
	case menu.StartOn, menu.StartOff:
		return "", t.startAtLogin(ctx, j.Kind == menu.StartOn)
	case menu.About:
		return "", t.about(ctx)
	}
	return "", fmt.Errorf("no such action: %s", j.Kind)
}

func (t *Tray) pause(ctx context.Context, paused bool, id string) error {
	_, err := t.Client.EditForward(ctx, id, api.ForwardPatch{Paused: &paused})
	return err
}

// pauseAll asks how things are now: the menu may be a moment behind.
func (t *Tray) pauseAll(ctx context.Context, paused bool) error {
	st, err := t.Client.Status(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range menu.Own(st) {
		if f.Paused != paused {
			errs = append(errs, t.pause(ctx, paused, f.ID))
		}
	}
	return errors.Join(errs...)
}

// The ports that a new forward may get: those of the examples, and after them.
const firstPort, lastPort = 9210, 9299

func (t *Tray) addForward(ctx context.Context, j job) (string, error) {
	for port := firstPort; port <= lastPort; port++ {
		listen := "localhost:" + strconv.Itoa(port)
		if taken(ctx, j.status, port) {
			continue
		}
		_, err := t.Client.AddForward(ctx, api.ForwardInput{Hostname: j.Target, Listen: listen})
		var p *api.Problem
		if errors.As(err, &p) && (p.Code == api.CodeConflict || p.Code == api.CodePortTaken) {
			continue // another program, or person, was quicker
		}
		return listen + " leads to " + j.Target, err
	}
	return "", &api.Problem{
		Code: api.CodePortTaken, Title: fmt.Sprintf("no port from %d to %d is free", firstPort, lastPort),
		Hint: "sallyport forward add " + j.Target + " localhost:PORT",
	}
}

// taken says whether a forward or another program listens at a port.
func taken(ctx context.Context, st api.Status, port int) bool {
	suffix := ":" + strconv.Itoa(port)
	if slices.ContainsFunc(st.Forwards, func(f api.Forward) bool { return strings.HasSuffix(f.Listen, suffix) }) {
		return true
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1"+suffix)
	if err != nil {
		return true
	}
	ln.Close()
	return false
}

// useEdge chooses an edge that is known already, as it is known.
func (t *Tray) useEdge(ctx context.Context, j job) error {
	for _, e := range j.status.Edges {
		if e.Name == j.Target && !e.Machine {
			_, err := t.Client.UseEdge(ctx, api.EdgeInput{Name: e.Name, Address: e.Address, CAPEM: e.CAPEM})
			return err
		}
	}
	return &api.Problem{Code: api.CodeNotFound, Title: "the edge is no longer there", Hint: "sallyport edge list"}
}

func edgeNamed(st api.Status, name string) browser.Edge {
	for _, e := range st.Edges {
		if e.Name == name {
			return browser.Edge{Name: e.Name, Address: e.Address}
		}
	}
	return browser.Edge{Name: name}
}

// signOut ends every session.
func (t *Tray) signOut(ctx context.Context) error {
	sessions, err := t.Client.Sessions(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, s := range sessions {
		if s.State == api.SessionActive {
			errs = append(errs, t.Client.EndSession(ctx, s.ID))
		}
	}
	return errors.Join(errs...)
}

func (t *Tray) startAtLogin(ctx context.Context, on bool) error {
	err := t.Autostart.Set(on)
	now := t.startsAtLogin()
	t.update(ctx, func(v *menu.View) { v.Autostart = now })
	return err
}

// about tells the versions.
func (t *Tray) about(ctx context.Context) error {
	text := "The service does not answer. "
	if v, err := t.Client.Version(ctx); err == nil {
		text = "Service " + v.Version + ". "
	}
	t.update(ctx, func(v *menu.View) {
		if len(v.Status.Edges) > 0 {
			text += "Edge " + v.Status.Edges[0].Name + ". "
		}
		v.Note = "Tray " + t.Version + ". " + text
		t.notice(menu.Notice{Key: "about", Title: "Sallyport " + t.Version, Text: text + "Reach TCP services after one sign-in."})
	})
	return nil
}
