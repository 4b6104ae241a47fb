package stream_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/sallyport/sallyport/wire/envelope"
	"github.com/sallyport/sallyport/wire/id"
	"github.com/sallyport/sallyport/wire/reason"
	"github.com/sallyport/sallyport/wire/trunk"
)

// crowd takes windows of a budget, as streams of the same session would, until it has
// no more or enough says so. The process has one budget, too: nothing else may run beside.
func crowd(t *testing.T, b *envelope.Budget, enough func() bool) {
	t.Helper()
	for !enough() {
		s := new(envelope.State)
		s.Init(envelope.Opening{}, b)
		if !s.In.Open() {
			return
		}
		t.Cleanup(s.Drop)
	}
}

// Where a session has no window left, either end says so, and streams that are there
// go on.
func TestTooManyStreams(t *testing.T) {
	for _, end := range []string{"client", "host"} {
		t.Run(end, func(t *testing.T) {
			b := envelope.SessionBudget()
			atClient, atHost := trunk.Config{Budget: b}, trunk.Config{}
			if end == "host" {
				atClient, atHost = atHost, atClient
			}
			client, host, _ := pairWith(t, atClient, atHost)
			c, h := streams(t, client, host)
			crowd(t, b, func() bool { return false })
			late, err := client.Open(soon(t), id.NewStream(), id.NewTrace(), false)
			if end == "host" && err == nil {
				err = late.Verdict(soon(t))
			}
			if !errors.Is(err, &reason.Reason{Code: reason.Limit}) {
				t.Fatalf("one more: %v", err)
			}
			go func() { c.Write([]byte("still here")); c.CloseWrite() }()
			if got, err := io.ReadAll(h); string(got) != "still here" || err != nil {
				t.Fatalf("the host read %q, %v", got, err)
			}
		})
	}
}

// Windows of a crowded session are small, and what goes through them is not less.
func TestSmallWindowsCarryAll(t *testing.T) {
	b := envelope.SessionBudget()
	crowd(t, b, func() bool { return b.Used() > envelope.SessionBuffers/2 })
	client, host, _ := pairWith(t, trunk.Config{Budget: b}, trunk.Config{Budget: b})
	c, h := streams(t, client, host)
	if c.Window() != envelope.LeastWindow {
		t.Fatalf("begins with a window of %d", c.Window())
	}
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 64<<10)
	go func() { c.Write(sent); c.CloseWrite() }()
	go func() { io.Copy(h, h); h.CloseWrite() }()
	if got, err := io.ReadAll(c); !bytes.Equal(got, sent) || err != nil {
		t.Fatalf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
}
