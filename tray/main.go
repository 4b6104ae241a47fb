// Command sallyport-tray is the tray of Sallyport: it shows whether services can
// be reached, switches forwards on and off, and signs its person in when a
// connection wants it. It talks to the daemon on this machine by the local API.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/internal/autostart"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/buildinfo"
	"github.com/sallyport/sallyport/internal/paths"
	"github.com/sallyport/sallyport/tray/internal/clipboard"
	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/notify"
	"github.com/sallyport/sallyport/tray/internal/ui"
)

func main() {
	socket := flag.String("socket", "", "the daemon's socket (default: $SALLYPORT_SOCKET, else your own daemon's, else the machine's)")
	version := flag.Bool("version", false, "print the version")
	actions := flag.Bool("actions", false, "print what the menu can do, and the command that does the same")
	login := flag.Bool("login", false, "started at login: do nothing for a person who switched that off")
	flag.Parse()
	switch {
	case *version:
		fmt.Println("sallyport-tray", buildinfo.Version())
		return
	case *actions:
		printActions()
		return
	case *login && !wanted():
		return
	}
	if err := run(*socket); err != nil {
		fmt.Fprintln(os.Stderr, "sallyport-tray: error:", err)
		os.Exit(1)
	}
}

// wanted says whether this person's tray starts at login; not knowing is a yes.
func wanted() bool {
	on, err := autostart.Enabled()
	return on || err != nil
}

func printActions() {
	commands := menu.Commands()
	for _, k := range slices.Sorted(maps.Keys(commands)) {
		fmt.Println(strings.TrimSpace(string(k) + "\t" + commands[k]))
	}
}

func run(socket string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	slog.SetDefault(log) // the tray's library writes to the standard logger
	dir, err := paths.RuntimeDir()
	if err != nil {
		return err
	}
	lock, err := single(dir, desktopSession())
	if err != nil {
		return err
	}
	defer lock.Close()
	c, err := client.New(client.Options{Socket: socket})
	if err != nil {
		return err
	}
	defer c.Close()
	desktop, err := notify.Open(log)
	if err != nil {
		return fmt.Errorf("there is no desktop session here: %w", err)
	}
	defer desktop.Close()
	t := ui.New(ui.Config{
		Client: c, Open: browser.Open, OpenOwn: browser.OpenOwn, Copy: clipboard.Copy, Desktop: desktop, Autostart: autostart.Here{},
		Log: log, Version: buildinfo.Version(), Now: time.Now,
	})
	if err := ui.Show(ctx, t); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
