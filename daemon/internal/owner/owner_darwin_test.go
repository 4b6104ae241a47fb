package owner

import (
	"net"
	"testing"
)

// connects is how often each way is tried.
const connects = 100

// closedIsUnknown: a socket that its process has closed has no owner here.
const closedIsUnknown = true

// tellsHalves: this system tells a half-closed connection from a reset one.
func tellsHalves(testing.TB, net.Conn) bool { return true }
