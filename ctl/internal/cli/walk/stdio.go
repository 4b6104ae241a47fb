package walk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
)

// copyBytes is the size of a copy's buffer: large enough that a bulk transfer
// is not bound by system calls.
const copyBytes = 256 << 10

// Stdio carries standard input and output over one stream to a hostname, both
// half-closes included. A reset is an error with its reason.
func (w *Walk) Stdio(ctx context.Context, in api.StreamInput, noBrowser bool) error {
	s, err := w.openStream(ctx, in, noBrowser)
	if err != nil {
		return err
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()

	up := make(chan error, 1)
	go sendInput(s, w.Term.In, up) // ends with the input, the stream or the process
	_, err = io.CopyBuffer(writerOnly{w.Term.Out}, readerOnly{s}, make([]byte, copyBytes))
	if err != nil {
		return lost(in.Hostname, err)
	}
	// The origin has said all; whoever reads our output learns it now.
	if c, ok := w.Term.Out.(io.Closer); ok {
		c.Close()
	}
	if w.Term.Terminal {
		return nil
	}
	select {
	case err := <-up:
		if err != nil {
			return lost(in.Hostname, err)
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// sendInput copies the input to the stream and then half-closes it.
func sendInput(s *client.Stream, in io.Reader, done chan<- error) {
	_, err := io.CopyBuffer(writerOnly{s}, readerOnly{in}, make([]byte, copyBytes))
	done <- errors.Join(err, s.CloseWrite())
}

// readerOnly and writerOnly hide other methods, so that CopyBuffer uses its
// buffer.
type readerOnly struct{ io.Reader }

type writerOnly struct{ io.Writer }

func lost(host string, err error) error {
	var p *api.Problem
	if errors.As(err, &p) {
		return p
	}
	return fmt.Errorf("stream to %s: %w", host, err)
}

// openStream opens a stream. Where a login is needed, and a person is there, it
// goes through it. A script gets the problem with the command to run, unless the
// tray or another command takes the login within unclaimed.
func (w *Walk) openStream(ctx context.Context, in api.StreamInput, noBrowser bool) (*client.Stream, error) {
	attended := w.Term.Attended()
	var aside companion = newUnclaimed(in.Edge)
	if attended {
		aside = w.taker(in.Edge, noBrowser, w.Term.TypedOnTTY)
	}
	var s *client.Stream
	err := w.beside(ctx, in.Edge, aside, func(ctx context.Context) (err error) {
		s, err = w.Client.OpenStream(ctx, in)
		return err
	})
	var p *api.Problem
	if !attended || !errors.As(err, &p) || p.Code != api.CodeLoginNeeded {
		return s, err
	}
	mode, reason := w.Term.LoginMode(noBrowser)
	if _, err := w.login(ctx, in.Edge, mode, reason, api.PurposeSession, w.Term.TypedOnTTY); err != nil {
		return nil, err
	}
	return w.Client.OpenStream(ctx, in)
}
