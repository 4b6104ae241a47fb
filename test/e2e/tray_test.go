//go:build linux

package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/needs"
	"github.com/sallyport/sallyport/test/harness"
	"github.com/sallyport/sallyport/test/panel"
)

// seat is a person at a desktop, with a tray beside the client daemon.
type seat struct {
	*story
	desktop *panel.Desktop
	tray    *panel.Item
	pages   string // the file in which the browser command notes what it opens
	shots   string // where the screenshots go
}

// shotsEnv names a folder in which the screenshots of the tray are kept.
const shotsEnv = "SALLYPORT_SHOTS"

// sit starts a desktop without a panel.
func (s *story) sit() *seat {
	s.Helper()
	d, err := panel.Start(s.ctx, filepath.Join(s.world.Dir, "desktop"))
	if errors.Is(err, panel.ErrMissing) {
		needs.Missing(s, err.Error())
	}
	s.must(err)
	s.Cleanup(d.Close)
	b := &seat{story: s, desktop: d, pages: filepath.Join(s.world.Dir, "pages"), shots: os.Getenv(shotsEnv)}
	if b.shots == "" {
		b.shots = s.world.Dir
	}
	s.must(os.MkdirAll(b.shots, 0o700))
	return b
}

// startTray starts the tray as the desktop does at login. Its browser writes
// down what it is to open; the story's Chromium opens it.
func (b *seat) startTray() *exec.Cmd {
	b.Helper()
	script := filepath.Join(b.world.Dir, "browser")
	b.must(os.WriteFile(script, []byte("#!/bin/sh\necho \"$1\" >>"+b.pages+"\n"), 0o700))
	// A package may start a tray for everybody on the machine of the test.
	env := append(b.desktop.Env(), "BROWSER="+script, "XDG_CONFIG_DIRS="+filepath.Join(b.desktop.Dir, "etc"))
	cmd, err := b.desktop.Run(env, b.world.Programs.Tray, "--socket", b.client.Socket)
	b.must(err)
	return cmd
}

// page waits until the tray has opened its n-th page.
func (b *seat) page(n int) string {
	b.Helper()
	var list []string
	b.must(harness.Poll(b.ctx, "the tray to open a page", func() (bool, error) {
		text, err := os.ReadFile(b.pages)
		list = strings.Fields(string(text))
		return len(list) >= n, err
	}))
	return list[n-1]
}

func (b *seat) shows(text string, ok func(panel.Entry) bool) panel.Entry {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	e, err := b.tray.Await(ctx, text, ok)
	if err != nil {
		b.shot("tray-failed")
		b.Fatal(err)
	}
	return e
}

func (b *seat) shot(name string) {
	b.Helper()
	b.must(b.desktop.Screenshot(b.ctx, filepath.Join(b.shots, name+".png")))
}

// clicks chooses an entry with the mouse.
func (b *seat) clicks(text string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := b.desktop.ClickEntry(ctx, b.tray, text); err != nil {
		b.shot("tray-failed")
		b.Fatal(err)
	}
}

// panelComes starts the panel and finds the tray in it.
func (b *seat) panelComes() {
	b.Helper()
	b.must(b.desktop.StartPanel(b.ctx))
	var err error
	b.tray, err = b.desktop.AwaitItem(b.ctx)
	b.must(err)
}

func ticked(want bool) func(panel.Entry) bool {
	return func(e panel.Entry) bool { return e.Checked == want }
}

// TestTray: a person signs in from the menu of a real panel, through Chromium,
// adds a forward for an app, switches it off and on, and uses it. The panel
// comes late and crashes, the daemon restarts, an open menu stays open.
func TestTray(t *testing.T) {
	t.Parallel()
	s := standard(t)
	b := s.sit()
	web := s.browser()
	b.startTray()
	b.panelComes() // late: the tray was there before
	b.shows("Signed out", nil)
	b.shot("tray-1-signed-out")
	b.signsIn(web)

	addr := b.addsForward()
	s.must(echoOnce(s.ctx, addr))
	b.clicks("Copy " + addr)
	b.shows("Copied "+addr, nil)
	if got, err := b.desktop.Clipboard(s.ctx); got != addr || err != nil {
		t.Errorf("the clipboard has %q, %v; want %s", got, err, addr)
	}

	b.switchOffAndOn(addr)
	b.openMenuStays(addr)
	b.survives(addr)
}

// signsIn signs alice in from the menu, by Chromium.
func (b *seat) signsIn(web *page) {
	b.Helper()
	b.clicks("Sign in")
	b.shows("Open the sign-in page again", nil)
	// The button of the notification opens the page again.
	b.must(b.desktop.PressNotification(b.ctx))
	url := b.page(2)
	if url != b.page(1) {
		b.Errorf("opened %s, then %s", b.page(1), url)
	}
	_, err := web.approve(embedded(b.people[alice]), harness.Loopback)(b.ctx, url)
	b.must(err)
	b.shows(alice+" at "+b.edge.Name()+" until", nil)
}

// addsForward takes the app that the menu offers, and gives the port.
func (b *seat) addsForward() (addr string) {
	b.Helper()
	b.clicks("Add a forward to " + app)
	b.shows("→ "+app, ticked(true))
	b.must(b.client.Await(b.ctx, "the forward to be ready", func(st api.Status) bool {
		if len(st.Forwards) == 1 && st.Forwards[0].State == api.ForwardReady {
			addr = st.Forwards[0].Listen
		}
		return addr != ""
	}))
	return addr
}

// TestDesk: a person signs in from the menu through Chromium, switches a forward
// on, and runs psql through it. Another OS user of the machine gets nothing.
func TestDesk(t *testing.T) {
	t.Parallel()
	s := begin(t, harness.EdgeOptions{})
	origin := s.postgres()
	s.listening(origin)
	s.publish(origin)
	s.startClient()
	b := s.sit()
	web := s.browser()
	b.startTray()
	b.panelComes()
	b.signsIn(web)
	addr := b.addsForward()

	b.clicks("→ " + app)
	b.shows("→ "+app, ticked(false))
	if out, err := s.askDatabase(addr, nil); err == nil {
		t.Errorf("psql at a forward that is off says %q", out)
	}
	b.clicks("→ " + app)
	b.shows("→ "+app, ticked(true))
	b.shot("desk-1-forward-on")
	s.must(s.settled(func() error {
		out, err := s.askDatabase(addr, nil)
		if err == nil && out != "42" {
			err = errors.New(out)
		}
		return err
	}))
	if os.Geteuid() == 0 { // elsewhere no other OS user can be made
		other := osUser(t, filepath.Join(s.world.Dir, "other"))
		for range 5 {
			if out, err := s.askDatabase(addr, other); err == nil || strings.Contains(out, "42") {
				t.Errorf("psql of another OS user: %v, %s", err, out)
			}
		}
	}
	if out, err := s.askDatabase(addr, nil); err != nil || out != "42" {
		t.Errorf("psql of the owner afterwards: %v, %s", err, out)
	}
}

// askDatabase runs psql at a forward, as another OS user where one is named.
func (s *story) askDatabase(addr string, as *harness.User) (string, error) {
	s.Helper()
	_, port, err := net.SplitHostPort(addr)
	s.must(err)
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "psql", "-h", "localhost", "-p", port, "-U", "postgres", "-Atc", "select 6*7")
	cmd.Dir, cmd.WaitDelay = "/", 2*time.Second
	if as != nil {
		cmd.SysProcAttr = credential(as)
	}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// switchOffAndOn uses the forward's entry, by the mouse and over D-Bus.
func (b *seat) switchOffAndOn(addr string) {
	b.Helper()
	b.clicks("→ " + app)
	b.shows("→ "+app, ticked(false))
	if err := echoOnce(b.ctx, addr); err == nil {
		b.Error("a forward that is switched off still works")
	}
	b.must(b.tray.Click(b.ctx, "→ "+app))
	b.shows("→ "+app, ticked(true))
	b.must(b.client.Await(b.ctx, "the forward to be ready", func(st api.Status) bool { return st.Forwards[0].State == api.ForwardReady }))
	b.must(echoOnce(b.ctx, addr))
}

// openMenuStays: what changes while the menu is open changes in it.
func (b *seat) openMenuStays(addr string) {
	b.Helper()
	open, err := b.desktop.OpenMenu(b.ctx)
	b.must(err)
	b.shot("tray-2-ready")
	b.ok(b.client.Ctl(b.ctx, "forward", "pause", addr))
	b.shows("→ "+app, ticked(false))
	b.shows("Resume all forwards", nil)
	b.shot("tray-3-paused")
	b.ok(b.client.Ctl(b.ctx, "forward", "resume", "--all"))
	b.shows("→ "+app, ticked(true))
	if shown, err := b.desktop.Shown(b.ctx, open); !shown || err != nil {
		b.Errorf("the menu closed while it changed: %v", err)
	}
	b.must(b.desktop.Key(b.ctx, "Escape"))
}

// survives: the daemon restarts, the panel crashes, access is revoked.
func (b *seat) survives(addr string) {
	b.Helper()
	b.client.Process().Kill()
	b.shows("The Sallyport service does not answer", nil)
	b.must(b.client.Start(b.ctx))
	b.shows(alice, nil)
	b.shows("→ "+app, ticked(true))

	b.must(b.desktop.KillPanel(b.ctx))
	b.panelComes()
	b.clicks("Copy " + addr)

	b.must(b.tray.Click(b.ctx, "Sign out"))
	b.shows("Not signed in", nil)
}

// TestTrayTakesLogin: a connection that waits opens the browser of its person
// once, and goes on after the sign-in. One tray is enough for a desktop.
func TestTrayTakesLogin(t *testing.T) {
	t.Parallel()
	s := standard(t)
	b := s.sit()
	b.startTray()
	b.panelComes()
	addr := s.forward(app)
	b.shows("→ "+app, nil)

	second := b.startTray()
	if err := second.Wait(); err == nil {
		t.Error("a second tray runs on the same desktop")
	}

	answers := make(chan error, 3)
	for range 3 {
		go func() { answers <- echoOnce(s.ctx, addr) }()
	}
	url := b.page(1)
	_, err := s.edge.Approve(s.people[alice])(s.ctx, url)
	s.must(err)
	for range 3 {
		s.must(<-answers)
	}
	b.shows(alice, nil)
	if pages, _ := os.ReadFile(b.pages); len(strings.Fields(string(pages))) != 1 {
		t.Errorf("pages opened: %s", pages)
	}
	s.must(b.tray.Click(s.ctx, "Start at login"))
	b.shows("Start at login", ticked(true))
	if _, err := os.Stat(filepath.Join(b.desktop.Dir, ".config", "autostart", "sallyport-tray.desktop")); err != nil {
		t.Error(err)
	}
}

// TestTrayAndCommandLine: whatever the tray can do, a command can do.
func TestTrayAndCommandLine(t *testing.T) {
	t.Parallel()
	s := empty(t)
	out, err := exec.CommandContext(s.ctx, s.world.Programs.Tray, "-actions").Output()
	s.must(err)
	n := 0
	for line := range strings.Lines(string(out)) {
		kind, words, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if words == "" {
			if kind != "quit" {
				t.Errorf("%s has no command", kind)
			}
			continue
		}
		n++
		args := append(strings.Fields(words), "--help")
		help, err := exec.CommandContext(s.ctx, s.world.Programs.Ctl, args...).CombinedOutput()
		verbs, _, _ := strings.Cut(words, " --")
		if err != nil || !strings.Contains(string(help), "sallyport "+verbs+" ") {
			t.Errorf("%s: sallyport %s: %v\n%s", kind, words, err, help)
		}
	}
	if n < 15 {
		t.Errorf("the tray lists %d actions:\n%s", n, out)
	}
}
