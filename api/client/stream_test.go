package client_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/sallyport/sallyport/api"
)

// After our FIN the rest of the answer still comes, and then its own FIN.
func TestStreamHalfClose(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	s, err := c.OpenStream(t.Context(), api.StreamInput{Hostname: "tcp.site.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := bytes.Repeat([]byte("SALLYPORT\n"), 50_000)
	go func() {
		s.Write(bytes.ToLower(want))
		s.CloseWrite()
	}()
	got, err := io.ReadAll(s)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(want))
	}
}

// Bytes that come with the answer 101 are not lost: the echo of one line is
// usually in the same packet as nothing else, so this reads byte by byte too.
func TestStreamReadsSmall(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	s, err := c.OpenStream(t.Context(), api.StreamInput{Hostname: "tcp.site.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	io.WriteString(s, "abc\n")
	one := make([]byte, 1)
	for _, want := range "ABC\n" {
		if _, err := io.ReadFull(s, one); err != nil || rune(one[0]) != want {
			t.Fatalf("got %q %v, want %q", one, err, want)
		}
	}
}

// A reset is never an EOF: its reason is what reading gives.
func TestStreamReset(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.EndStreams(&api.Problem{Code: api.CodeSessionEnded, Title: "access ended"})
	s, err := c.OpenStream(t.Context(), api.StreamInput{Hostname: "tcp.site.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	io.WriteString(s, "abc\n")
	got, err := io.ReadAll(s)
	if string(got) != "ABC\n" || codeOf(err) != api.CodeSessionEnded {
		t.Errorf("got %q, %v", got, err)
	}
}

// The daemon dies in the middle: nobody says that this was an orderly end.
func TestStreamDaemonDies(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	s, err := c.OpenStream(t.Context(), api.StreamInput{Hostname: "tcp.site.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d.Fail("GET /v1/streams/"+s.ID, api.Problem{Code: api.CodeNotFound, Title: "no such stream"})
	s.CloseWrite()
	if _, err := io.ReadAll(s); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestStreamRefused(t *testing.T) {
	t.Parallel()
	c, d := open(t)
	d.Fail("POST /v1/streams", api.Problem{Code: api.CodeDenied, Title: "not allowed", Hint: "ask"})
	_, err := c.OpenStream(t.Context(), api.StreamInput{Hostname: "tcp.site.com"})
	var p *api.Problem
	if !errors.As(err, &p) || p.Code != api.CodeDenied || p.Hint != "ask" {
		t.Errorf("got %v", err)
	}
}
