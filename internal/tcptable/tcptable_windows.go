package tcptable

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// ownerPIDAll is TCP_TABLE_OWNER_PID_ALL of iprtrmib.h.
const ownerPIDAll = 5

// tries: between the answer that says how much room is needed and the next
// question, sockets come into being.
const tries = 8

var getTable = windows.NewLazySystemDLL("iphlpapi.dll").NewProc("GetExtendedTcpTable")

// IPv4 gives the IPv4 sockets of all processes.
func IPv4() ([]Row, error) { return sockets(windows.AF_INET, Parse4) }

// IPv6 gives the IPv6 sockets of all processes, those that carry IPv4 included.
func IPv6() ([]Row, error) { return sockets(windows.AF_INET6, Parse6) }

func sockets(family uintptr, parse func([]byte) ([]Row, error)) ([]Row, error) {
	table, err := read(family)
	if err != nil {
		return nil, fmt.Errorf("GetExtendedTcpTable: %w", err)
	}
	return parse(table)
}

func read(family uintptr) ([]byte, error) {
	if err := getTable.Find(); err != nil {
		return nil, err
	}
	size := uint32(16 << 10)
	for range tries {
		table := make([]byte, size)
		got, _, _ := getTable.Call(uintptr(unsafe.Pointer(&table[0])), uintptr(unsafe.Pointer(&size)), 0, family, ownerPIDAll, 0)
		switch err := windows.Errno(got); err {
		case windows.ERROR_SUCCESS:
			return table, nil
		case windows.ERROR_INSUFFICIENT_BUFFER:
			size = max(size, uint32(len(table))) + 4<<10
		default:
			return nil, err
		}
	}
	return nil, windows.ERROR_INSUFFICIENT_BUFFER
}
