// Command sallyport-tray is the tray of Sallyport: it shows whether services can
// be reached, and signs its person in when a connection wants it. It talks to
// the daemon on this machine by the local API.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/buildinfo"
	"github.com/sallyport/sallyport/internal/paths"
	"github.com/sallyport/sallyport/tray/internal/ui"
)

func main() {
	socket := flag.String("socket", "", "the daemon's socket (default: $SALLYPORT_SOCKET, else your own daemon's, else the machine's)")
	version := flag.Bool("version", false, "print the version")
	flag.Parse()
	if *version {
		fmt.Println("sallyport-tray", buildinfo.Version())
		return
	}
	if err := run(*socket); err != nil {
		fmt.Fprintln(os.Stderr, "sallyport-tray: error:", err)
		os.Exit(1)
	}
}

func run(socket string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := paths.RuntimeDir()
	if err != nil {
		return err
	}
	lock, err := single(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	c, err := client.New(client.Options{Socket: socket})
	if err != nil {
		return err
	}
	defer c.Close()
	t := ui.New(ui.Config{Client: c, Open: browser.Open, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err := ui.Show(ctx, t); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
