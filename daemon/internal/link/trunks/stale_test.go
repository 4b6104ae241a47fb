package trunks

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/sallyport/sallyport/wire"
	wiretrunk "github.com/sallyport/sallyport/wire/trunk"
)

// Only what tells of the trunk is worth a second try on another one.
func TestStale(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	live, err := wiretrunk.Client(near, near, wiretrunk.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { live.CloseWith(nil); <-live.Done() }()
	for _, test := range []struct {
		name string
		err  error
		want bool
	}{
		{"no connector", &wire.Reason{Code: wire.CodeNoConnector}, true},
		{"carrier lost", &wire.Reason{Code: wire.CodeCarrierLost}, true},
		// The sweep closed it between the choice of the trunk and the opening.
		{"closed as idle", &wire.Reason{Code: wire.CodeClosed, Text: "idle"}, true},
		{"denied", &wire.Reason{Code: wire.CodeDenied}, false},
		{"origin refused", &wire.Reason{Code: wire.CodeOriginRefused}, false},
		{"given up", context.Canceled, false},
		{"anything else", errors.New("x"), false},
	} {
		if got := stale(&trunk{wire: live}, test.err); got != test.want {
			t.Errorf("%s: stale %t, want %t", test.name, got, test.want)
		}
	}
}
