package login

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/wire"
)

func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	b := start()
	opened := b.begin(t, 1, startMessage(wire.ModeLoopback))
	secret := b.walk(t, opened, person())
	m := startMessage(wire.ModeLoopback)
	for i := range maxAttempts + 50 {
		key := wire.KeyID{9, byte(i), byte(i >> 8)}
		from := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		if _, err := b.Start(t.Context(), key, from, m); err != nil {
			t.Fatalf("start %d: %v", i, err)
		}
	}
	if n := len(b.attempts); n > maxAttempts {
		t.Fatalf("%d attempts", n)
	}
	b.accept(t, opened, secret) // a flood does not push out who is signing in
}

func TestLimits(t *testing.T) {
	t.Parallel()
	b := start()
	m := startMessage(wire.ModeLoopback)
	var err error
	for range keyStartBurst {
		_, err = b.Start(t.Context(), wire.KeyID{1}, daemon, m)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Start(t.Context(), wire.KeyID{1}, daemon, m)
	wantReason(t, err, wire.CodeLimit)
	v6 := netip.MustParsePrefix("2001:db8:1:2::/64").Addr()
	for i := range startBurst {
		if _, err = b.Start(t.Context(), wire.KeyID{2, byte(i)}, v6.Next(), m); err != nil {
			t.Fatal(err)
		}
	}
	_, err = b.Start(t.Context(), wire.KeyID{3}, netip.MustParseAddr("2001:db8:1:2:ffff::1"), m)
	wantReason(t, err, wire.CodeLimit)
	b.begin(t, 4, m)
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"laptop-7":                      "laptop-7",
		"a\r\nb\x00\x1b[31m":            "ab[31m",
		"Zoë's \u202eMac":               "Zoë's Mac",
		"bad\xff":                       "bad",
		"a\u009b2Jb\u0085":              "a2Jb", // controls of eight bits
		"\u202egro.live\u200f\u061c":    "gro.live",
		"a\u2028b\u2029c\u200bd\ufeffe": "abcde",
		"Grüße an 日本":                   "Grüße an 日本",
		strings.Repeat("é", 1000):       strings.Repeat("é", 64),
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q", in, got)
		}
	}
}

func TestCodeUsesTheWholeAlphabet(t *testing.T) {
	t.Parallel()
	seen := map[rune]int{}
	for _, c := range newCode(25_000) {
		seen[c]++
	}
	for _, c := range codeAlphabet {
		if n := seen[c]; n < 800 || n > 1200 {
			t.Errorf("%c came %d times in 25000", c, n)
		}
	}
}
