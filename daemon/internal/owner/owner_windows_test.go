package owner

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/windows"
)

// connects is how often each way is tried. Wine needs a second for each look at
// the table.
const connects = 1

// closedIsUnknown: the process that made a socket is named until the connection is
// over.
const closedIsUnknown = false

// tellsHalves says whether this Windows tells a half-closed connection from a
// reset one.
func tellsHalves(t testing.TB, c net.Conn) (tells bool) {
	t.Helper()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { tells = !errors.Is(established(windows.Handle(fd)), errors.ErrUnsupported) })
	return tells
}
