package owner

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/internal/tcptable"
)

var (
	peer4, here4 = netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:9210")
	peer6, here6 = netip.MustParseAddrPort("[::1]:50000"), netip.MustParseAddrPort("[::1]:9210")
)

func TestProcessOf(t *testing.T) {
	t.Parallel()
	row := func(s tcptable.State, own, peer netip.AddrPort, pid uint32) tcptable.Row {
		return tcptable.Row{State: s, Local: own, Remote: peer, PID: pid}
	}
	own, accepted := row(tcptable.Established, peer4, here4, 7), row(tcptable.Established, here4, peer4, 8)
	for name, c := range map[string]struct {
		rows []tcptable.Row
		pid  uint32
		err  error
	}{
		"the peer's":          {[]tcptable.Row{accepted, own}, 7, nil},
		"half-closed":         {[]tcptable.Row{row(tcptable.FinWait2, peer4, here4, 7)}, 7, nil},
		"only the accepted":   {[]tcptable.Row{accepted}, 0, errNoRow},
		"another family":      {[]tcptable.Row{row(tcptable.Established, peer6, here6, 7)}, 0, errNoRow},
		"another port":        {[]tcptable.Row{row(tcptable.Established, peer4, peer4, 7)}, 0, errNoRow},
		"a listener there":    {[]tcptable.Row{row(tcptable.Listen, peer4, netip.AddrPort{}, 7)}, 0, errNoRow},
		"over":                {[]tcptable.Row{row(11, peer4, here4, 7)}, 0, errNoRow},
		"over, and a new one": {[]tcptable.Row{row(11, peer4, here4, 0), own}, 7, nil},
		"without process":     {[]tcptable.Row{row(tcptable.Established, peer4, here4, 0)}, 0, errNoOwner},
		"two say another":     {[]tcptable.Row{own, row(tcptable.CloseWait, peer4, here4, 9)}, 0, errChanged},
		"none":                {nil, 0, errNoRow},
	} {
		if pid, err := processOf(c.rows, peer4, here4); pid != c.pid || !errors.Is(err, c.err) {
			t.Errorf("%s: %d, %v; want %d, %v", name, pid, err, c.pid, c.err)
		}
	}
}

// Records of macOS as its kernel writes them, by hand.

func record(kind uint32, size int, fill func(b []byte)) []byte {
	b := make([]byte, (size+7)&^7)
	binary.NativeEndian.PutUint32(b, uint32(size))
	binary.NativeEndian.PutUint32(b[4:], kind)
	if fill != nil {
		fill(b)
	}
	return b
}

func pcbRecord(version byte, own, peer netip.AddrPort) []byte {
	return record(kindPCB, 104, func(b []byte) {
		binary.BigEndian.PutUint16(b[16:], peer.Port())
		binary.BigEndian.PutUint16(b[18:], own.Port())
		b[44] = version
		copy(b[48+16-peer.Addr().BitLen()/8:], peer.Addr().AsSlice())
		copy(b[64+16-own.Addr().BitLen()/8:], own.Addr().AsSlice())
	})
}

func socketRecord(uid uint32, state uint16) []byte {
	return record(kindSocket, 100, func(b []byte) {
		binary.NativeEndian.PutUint16(b[26:], state)
		binary.NativeEndian.PutUint32(b[64:], uid)
	})
}

func tcpRecord(state uint32) []byte {
	return record(kindTCP, 204, func(b []byte) { binary.NativeEndian.PutUint32(b[36:], state) })
}

// one is a socket, with its buffers and statistics, which nobody reads.
func one(version byte, own, peer netip.AddrPort, uid uint32, state uint32) []byte {
	return slices.Concat(pcbRecord(version, own, peer), socketRecord(uid, 0x2), record(2, 28, nil), record(4, 28, nil), record(8, 136, nil), tcpRecord(state))
}

func list(sockets ...[]byte) []byte {
	gen := record(uint32(len(sockets)), genSize, nil)
	return slices.Concat(gen, bytes.Join(sockets, nil), gen)
}

func TestUIDIn(t *testing.T) {
	t.Parallel()
	listener := one(3, here6, netip.AddrPortFrom(netip.IPv6Unspecified(), 0), 0, 1)
	accepted, own4, own6 := one(1, here4, peer4, 0, 4), one(1, peer4, here4, 501, 4), one(2, peer6, here6, 502, 4)
	noTCP := slices.Concat(pcbRecord(1, peer4, here4), socketRecord(501, 2))
	for name, c := range map[string]struct {
		list []byte
		uid  uint32
		err  error
	}{
		"the peer's":            {list(listener, accepted, own6, own4), 501, nil},
		"half-closed":           {list(one(1, peer4, here4, 501, 9)), 501, nil},
		"only the accepted":     {list(listener, accepted, own6), 0, errNoRow},
		"connecting":            {list(one(1, peer4, here4, 501, 2)), 0, errNoRow},
		"over":                  {list(one(1, peer4, here4, 501, 10)), 0, errNoRow},
		"closed by its process": {list(slices.Concat(pcbRecord(1, peer4, here4), socketRecord(501, noDescriptor), tcpRecord(8))), 0, errNoOwner},
		"two users":             {list(own4, one(1, peer4, here4, 0, 4)), 0, errChanged},
		"of neither family":     {list(one(0, peer4, here4, 501, 4)), 0, errNoRow},
		"of both families":      {list(one(3, peer4, here4, 501, 4)), 0, errNoRow},
		"no socket":             {list(), 0, errNoRow},
		"an empty list":         {list()[:genSize], 0, errNoRow},
		"nothing":               {nil, 0, errList},
		"another head":          {record(0, 32, nil), 0, errList},
		"no state":              {list(noTCP), 0, errNoRow},
		"two states":            {list(slices.Concat(own4, tcpRecord(4))), 0, errList},
		"a socket of nothing":   {list(socketRecord(501, 2)), 0, errList},
		"short address":         {list(record(kindPCB, pcbSize-1, nil)), 0, errList},
		"short socket":          {list(pcbRecord(1, peer4, here4), record(kindSocket, socketSize-1, nil)), 0, errList},
		"short state":           {list(pcbRecord(1, peer4, here4), record(kindTCP, tcpSize-1, nil)), 0, errList},
		"a record of no length": {list(make([]byte, 8)), 0, errList},
		"a record too long":     {slices.Concat(list(own4), record(1<<20, 8, func(b []byte) { b[0] = 0xff })), 0, errList},
		"cut":                   {list(own4)[:200], 0, errList},
	} {
		if uid, err := uidIn(c.list, peer4, here4); uid != c.uid || !errors.Is(err, c.err) {
			t.Errorf("%s: %d, %v; want %d, %v", name, uid, err, c.uid, c.err)
		}
	}
	if uid, err := uidIn(list(listener, own4, own6), peer6, here6); uid != 502 || err != nil {
		t.Errorf("IPv6: %d, %v", uid, err)
	}
	without := slices.Concat(pcbRecord(1, peer4, here4), tcpRecord(4))
	if uid, err := uidIn(list(without), peer4, here4); !errors.Is(err, errList) {
		t.Errorf("without a user: %d, %v", uid, err)
	}
}

func FuzzUIDIn(f *testing.F) {
	f.Add(list(one(1, peer4, here4, 501, 4), one(2, peer6, here6, 502, 4)))
	f.Add(list())
	f.Fuzz(func(t *testing.T, b []byte) { uidIn(b, peer4, here4) })
}
