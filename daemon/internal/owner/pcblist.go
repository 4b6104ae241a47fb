package owner

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// The list of TCP sockets of macOS (net.inet.tcp.pcblist_n; bsd/netinet of XNU):
// a xinpgen, then records for each socket, then a xinpgen. A record begins with
// its length and kind and is filled up to eight bytes; the first of a socket is
// its xinpcb_n. Structures are packed to four bytes.
const (
	genSize  = 24
	nextSize = 8 // what a record begins with

	kindSocket, kindPCB, kindTCP = 0x01, 0x10, 0x20

	pcbSize, socketSize, tcpSize = 80, 68, 40 // as far as they are read

	versionIPv4, versionIPv6 = 1, 2 // inp_vflag

	// noDescriptor is SS_NOFDREF of so_state: the process has closed it.
	noDescriptor = 0x1

	// TCPS_ESTABLISHED and TCPS_TIME_WAIT: between them a socket has a peer.
	bsdEstablished, bsdTimeWait = 4, 10
	bsdCloseWait                = 5
)

var errList = errors.New("the list of sockets is not in the form that is known here")

// pcb is one socket of the list.
type pcb struct {
	own, peer netip.AddrPort
	uid       uint32
	closed    bool
	state     uint32
	has       uint32 // the kinds of the records that were read
}

// uidIn is the user of the connected socket whose own address is remote and whose
// peer is local.
func uidIn(list []byte, remote, local netip.AddrPort) (uint32, error) {
	all, err := parsePCBs(list)
	if err != nil {
		return 0, err
	}
	var found *pcb
	for _, p := range all {
		if p.own != remote || p.peer != local || p.state < bsdEstablished || p.state >= bsdTimeWait {
			continue
		}
		if found != nil && found.uid != p.uid {
			return 0, errChanged
		}
		found = &p
	}
	switch {
	case found == nil:
		return 0, errNoRow
	case found.has != kindPCB|kindSocket|kindTCP:
		return 0, errList
	case found.closed:
		return 0, errNoOwner
	}
	return found.uid, nil
}

// parsePCBs reads the whole list. A record that is not as it is known is an error:
// a field that has moved could name another user.
func parsePCBs(list []byte) ([]pcb, error) {
	if len(list) < genSize || number(list) != genSize {
		return nil, errList
	}
	var all []pcb
	for rest := list[genSize:]; ; {
		if len(rest) == 0 { // an empty list has no second xinpgen
			return all, nil
		}
		record, after, err := next(rest)
		if err != nil {
			return nil, err
		}
		// The last xinpgen is a record without a kind, and nothing is behind it.
		if len(after) == 0 && len(record) == genSize {
			return all, nil
		}
		kind := number(record[4:])
		if kind == kindPCB {
			all = append(all, pcb{})
		}
		if len(all) == 0 {
			return nil, errList
		}
		if err := all[len(all)-1].add(kind, record); err != nil {
			return nil, err
		}
		rest = after
	}
}

func next(b []byte) (record, after []byte, err error) {
	if len(b) < nextSize {
		return nil, nil, errList
	}
	n := uint64(number(b))
	if full := (n + 7) &^ 7; n >= nextSize && full <= uint64(len(b)) {
		return b[:n], b[full:], nil
	}
	return nil, nil, errList
}

func (p *pcb) add(kind uint32, b []byte) error {
	size := map[uint32]int{kindPCB: pcbSize, kindSocket: socketSize, kindTCP: tcpSize}[kind]
	switch {
	case size == 0:
		return nil // buffers, statistics
	case len(b) < size || p.has&kind != 0:
		return fmt.Errorf("%w: %d bytes of kind %#x", errList, len(b), kind)
	}
	p.has |= kind
	switch kind {
	case kindPCB:
		p.addresses(b)
	case kindSocket:
		p.closed = binary.NativeEndian.Uint16(b[26:])&noDescriptor != 0
		p.uid = number(b[64:])
	case kindTCP:
		p.state = number(b[36:])
	}
	return nil
}

// addresses: the peer's comes first. An IPv4 address is the last four bytes of
// sixteen. One of both families or of neither has no peer.
func (p *pcb) addresses(b []byte) {
	address := func(at int) netip.Addr { return netip.AddrFrom16([16]byte(b[at : at+16])).Unmap() }
	switch b[44] & (versionIPv4 | versionIPv6) {
	case versionIPv4:
		address = func(at int) netip.Addr { return netip.AddrFrom4([4]byte(b[at+12 : at+16])) }
	case versionIPv6:
	default:
		return
	}
	p.peer = netip.AddrPortFrom(address(48), binary.BigEndian.Uint16(b[16:]))
	p.own = netip.AddrPortFrom(address(64), binary.BigEndian.Uint16(b[18:]))
}

func number(b []byte) uint32 { return binary.NativeEndian.Uint32(b) }
