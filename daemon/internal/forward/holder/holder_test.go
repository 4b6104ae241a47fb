package holder

import (
	"net/netip"
	"os"
	"testing"

	"github.com/sallyport/sallyport/internal/tcptable"
)

func TestListenerOn(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddrPort
	row := func(s tcptable.State, own string, pid uint32) tcptable.Row {
		return tcptable.Row{State: s, Local: at(own), PID: pid}
	}
	rows := []tcptable.Row{
		row(tcptable.Established, "127.0.0.1:9210", 1), row(tcptable.Listen, "127.0.0.1:9211", 2), row(tcptable.Listen, "10.0.0.1:9210", 3),
		row(tcptable.Listen, "127.0.0.1:9210", 4), row(tcptable.Listen, "0.0.0.0:9212", 5), row(tcptable.Listen, "[::]:9213", 6),
	}
	for addr, want := range map[string]uint32{
		"127.0.0.1:9210": 4, "127.0.0.1:9211": 2, "[::1]:9210": 0, "127.0.0.1:9212": 5, "[::1]:9213": 6, "127.0.0.1:9214": 0,
	} {
		if got := listenerOn(rows, at(addr)); got != want {
			t.Errorf("%s: %d, want %d", addr, got, want)
		}
	}
}

func TestHolderIsNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		h    Holder
		want string
	}{
		{Holder{}, "another program"},
		{Holder{User: "bob"}, "a program of user bob"},
		{Holder{PID: 1 << 30, Program: "psql", User: "bob"}, "psql (pid 1073741824, user bob)"},
		{Holder{PID: 1 << 30, Program: "psql"}, "psql (pid 1073741824)"},
		{Holder{PID: os.Getpid(), Program: "x"}, "another forward of this daemon"},
	}
	for _, tt := range tests {
		if got := tt.h.String(); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.h, got, tt.want)
		}
	}
}
