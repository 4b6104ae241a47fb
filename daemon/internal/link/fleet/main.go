// Program fleet keeps many links to one edge, each with a device key of its own,
// by the code of the daemon: for the benchmark and the faults, which have no
// room for as many daemons.
//
//	fleet -edge NAME -port N -address IP:PORT -ca FILE -n N < JOINTOKEN
//
// It enrols each as a host and then prints a line for each change of a link:
// "online NUMBER TIME" or "offline NUMBER TIME", TIME in nanoseconds since 1970;
// after the last enrolment "enrolled N TIME". It ends with its standard input.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/wire"
)

func main() {
	var edge link.Edge
	port, n, ca := flag.Uint("port", 443, "the edge's port"), flag.Int("n", 100, "links"), flag.String("ca", "", "file to check the edge against")
	flag.StringVar(&edge.Name, "edge", "localhost", "the edge's name")
	flag.StringVar(&edge.Address, "address", "", "where to dial it")
	flag.Parse()
	edge.Port = uint16(*port)
	pem, err := os.ReadFile(*ca)
	edge.CAPEM = string(pem)
	if err == nil {
		err = run(edge, *n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(edge link.Edge, n int) error {
	in := bufio.NewReader(os.Stdin)
	token, err := in.ReadString('\n')
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var lines sync.Mutex
	say := func(number int, state string) {
		lines.Lock()
		defer lines.Unlock()
		fmt.Println(state, number, time.Now().UnixNano())
	}
	for i := range n {
		if err := one(ctx, &running, edge, strings.TrimSpace(token), func(state string) { say(i, state) }); err != nil {
			return fmt.Errorf("link %d: %w", i, err)
		}
	}
	say(n, "enrolled")
	_, err = io.Copy(io.Discard, in)
	return err
}

// one starts a link, enrols it, and lets it run until ctx ends.
func one(ctx context.Context, running *sync.WaitGroup, edge link.Edge, token string, say func(state string)) error {
	key, err := wire.NewDeviceKey()
	if err != nil {
		return err
	}
	cert, err := wire.DeviceCertificate(key)
	if err != nil {
		return err
	}
	h := &host{say: say}
	l := link.New(link.Config{
		Edge: edge, Role: wire.RoleHost, Cert: cert, DeviceName: "fleet", BootID: rand.Text(), Version: "fleet", Host: h,
		Log: slog.New(slog.DiscardHandler),
	})
	running.Go(func() { l.Run(ctx) }) // ends with ctx
	l.Wake()
	_, err = l.Enrol(ctx, token)
	return err
}

// host publishes nothing and tells of its link.
type host struct{ say func(state string) }

func (h *host) Online(*wire.Link)               { h.say(string(api.LinkOnline)) }
func (h *host) Offline(*wire.Link)              { h.say("offline") }
func (h *host) Handle(*wire.Link, wire.Message) {}
func (h *host) Streams() []wire.StreamRef       { return nil }
