// Package tcptable reads the system's table of TCP sockets, with the process
// that each belongs to. Today that is the table of Windows; the form of its rows
// is parsed on every system, so that it is tested on every one.
//
// Shapes: IPv4 and IPv6 (Windows) give the rows of a family; Parse4 and Parse6 read
// the bytes of GetExtendedTcpTable in its classes OWNER_PID.
//
// Units and limits: a row's addresses are without zone, and an IPv4 address
// within an IPv6 one is an IPv4 address. PID 0 means that no process has the
// socket any more.
//
// Errors: a table that is not whole is an error, never a shorter table.
//
// Source: MIB_TCPTABLE_OWNER_PID and MIB_TCP6TABLE_OWNER_PID of tcpmib.h.
package tcptable

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// State is MIB_TCP_STATE.
type State uint32

// The states that are asked for.
const (
	Listen      State = 2
	Established State = 5
	FinWait1    State = 6
	FinWait2    State = 7
	CloseWait   State = 8
	Closing     State = 9
	LastACK     State = 10
)

// Connected says whether it is the state of a socket that has a peer.
func (s State) Connected() bool { return s >= Established && s <= LastACK }

// Row is one socket.
type Row struct {
	State         State
	Local, Remote netip.AddrPort
	PID           uint32
}

// Sizes of the count before the rows, and of a row.
const (
	head  = 4
	size4 = 24
	size6 = 56
)

// Parse4 reads a table of IPv4 sockets.
func Parse4(table []byte) ([]Row, error) {
	return parse(table, size4, func(b []byte) Row {
		return Row{
			State: State(number(b)), PID: number(b[20:]),
			Local:  netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port(b[8:])),
			Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[12:16])), port(b[16:])),
		}
	})
}

// Parse6 reads a table of IPv6 sockets.
func Parse6(table []byte) ([]Row, error) {
	return parse(table, size6, func(b []byte) Row {
		return Row{
			State: State(number(b[48:])), PID: number(b[52:]),
			Local:  netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[0:16])).Unmap(), port(b[20:])),
			Remote: netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[24:40])).Unmap(), port(b[44:])),
		}
	})
}

func parse(table []byte, size int, row func([]byte) Row) ([]Row, error) {
	if len(table) < head {
		return nil, fmt.Errorf("table of TCP sockets: %d bytes", len(table))
	}
	n, rest := uint64(number(table)), table[head:]
	if n > uint64(len(rest)/size) {
		return nil, fmt.Errorf("table of TCP sockets: %d rows in %d bytes", n, len(table))
	}
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = row(rest[i*size:])
	}
	return rows, nil
}

func number(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }

// port: in the order of the network, in the first half of four bytes.
func port(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
