package forward

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
)

// A head is what came, byte by byte, up to and with its first empty line, and no
// longer than it may be.
func FuzzReadHead(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: localhost\r\n\r\nbody")
	f.Add("GET / HTTP/1.1\nHost: x\n\n")
	f.Add("\r\nGET /")
	f.Fuzz(func(t *testing.T, text string) {
		r := bufio.NewReaderSize(strings.NewReader(text), 4<<10)
		head, err := readHead(r)
		rest, _ := io.ReadAll(r)
		var p *api.Problem
		switch {
		case err == nil:
			if string(head)+string(rest) != text {
				t.Fatalf("%q and %q of %q", head, rest, text)
			}
			if len(head) > maxHead || !bytes.HasSuffix(head, []byte("\n")) || strings.TrimSpace(lastLine(head)) != "" {
				t.Fatalf("a head of %d bytes that ends in %q", len(head), lastLine(head))
			}
		case errors.As(err, &p):
			if len(text) <= maxHead {
				t.Fatalf("%d bytes are too long", len(text))
			}
		}
	})
}

func lastLine(head []byte) string {
	head = bytes.TrimSuffix(head, []byte("\n"))
	return string(head[bytes.LastIndexByte(head, '\n')+1:])
}
