package tcptable

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

// table4 and table6 are bytes as Windows writes them, by hand.
func table4(rows ...Row) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(len(rows)))
	for _, r := range rows {
		b = binary.NativeEndian.AppendUint32(b, uint32(r.State))
		for _, a := range []netip.AddrPort{r.Local, r.Remote} {
			b = append(b, a.Addr().AsSlice()...)
			b = append(binary.BigEndian.AppendUint16(b, a.Port()), 0xaa, 0xbb) // the rest means nothing
		}
		b = binary.NativeEndian.AppendUint32(b, r.PID)
	}
	return b
}

func table6(rows ...Row) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(len(rows)))
	for _, r := range rows {
		for _, a := range []netip.AddrPort{r.Local, r.Remote} {
			ip := a.Addr().As16()
			b = append(b, ip[:]...)
			b = append(b, 7, 0, 0, 0) // scope
			b = append(binary.BigEndian.AppendUint16(b, a.Port()), 0xaa, 0xbb)
		}
		b = binary.NativeEndian.AppendUint32(b, uint32(r.State))
		b = binary.NativeEndian.AppendUint32(b, r.PID)
	}
	return b
}

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestParse(t *testing.T) {
	t.Parallel()
	four := []Row{
		{Listen, at("127.0.0.1:9210"), at("0.0.0.0:0"), 4},
		{Established, at("127.0.0.1:50000"), at("127.0.0.1:9210"), 4711},
		{State(11), at("127.0.0.1:50001"), at("127.0.0.1:9210"), 0},
	}
	if got, err := Parse4(append(table4(four...), make([]byte, 100)...)); err != nil || !slices.Equal(got, four) {
		t.Errorf("%v, %v", got, err)
	}
	six := []Row{{Established, at("[::1]:50000"), at("[::1]:9210"), 1 << 31}, {CloseWait, at("127.0.0.1:50001"), at("127.0.0.1:9210"), 12}}
	if got, err := Parse6(table6(six...)); err != nil || !slices.Equal(got, six) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestATableThatIsNotWholeIsRefused(t *testing.T) {
	t.Parallel()
	one := Row{Local: at("127.0.0.1:1"), Remote: at("127.0.0.1:2")}
	four, six := table4(one, one)[:head+2*size4-1], table6(one)
	for name, table := range map[string][]byte{"empty": nil, "no count": {1, 0, 0}, "a byte short": four, "many": bytes.Repeat([]byte{0xff}, 100)} {
		if rows, err := Parse4(table); err == nil {
			t.Errorf("IPv4, %s: %v", name, rows)
		}
	}
	for n := range six {
		if rows, err := Parse6(six[:n]); err == nil {
			t.Errorf("IPv6, %d of %d bytes: %v", n, len(six), rows)
		}
	}
}

func TestConnected(t *testing.T) {
	t.Parallel()
	for s := range State(14) {
		if want := s >= 5 && s <= 10; s.Connected() != want {
			t.Errorf("state %d: %t", s, !want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(table4(Row{Listen, at("127.0.0.1:1"), at("0.0.0.0:0"), 4}))
	f.Add(table6(Row{Established, at("[::1]:1"), at("[::1]:2"), 4}))
	f.Fuzz(func(t *testing.T, b []byte) {
		four, err4 := Parse4(b)
		six, err6 := Parse6(b)
		if err4 == nil && len(four)*size4+head > len(b) || err6 == nil && len(six)*size6+head > len(b) {
			t.Errorf("%d and %d rows of %d bytes", len(four), len(six), len(b))
		}
	})
}
