package names

import (
	"strings"
	"testing"
)

func TestHostname(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 63)
	cases := []struct{ in, want string }{
		{"tcp.site.com", "tcp.site.com"},
		{"TCP.Site.COM.", "tcp.site.com"},
		{"münchen.de", "xn--mnchen-3ya.de"},
		{"MÜNCHEN.de", "xn--mnchen-3ya.de"},
		{"XN--MNCHEN-3ya.de", "xn--mnchen-3ya.de"},
		{"xn--zzzzzzzzz.com", ""},
		{"xn--mnchen-3ya.de", "xn--mnchen-3ya.de"},
		{"localhost", "localhost"},
		{"r3---sn.site.com", "r3---sn.site.com"},
		{long + ".com", long + ".com"},
		{"", ""},
		{".", ""},
		{"a..b", ""},
		{".a", ""},
		{"-a.com", ""},
		{"a-.com", ""},
		{"a_b.com", ""},
		{"*.site.com", ""},
		{"site.com:443", ""},
		{"127.0.0.1", ""},
		{"1.2.3", ""},
		{"::1", ""},
		{"[::1]", ""},
		{"a b.com", ""},
		{"a\nb.com", ""},
		{long + "a.com", ""},
		{strings.Repeat(long+".", 4) + "com", ""},
		{"a\u200db.com\x00", ""},
		{strings.Repeat("ü", 100000), ""},
	}
	for _, c := range cases {
		got, err := Hostname(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("Hostname(%.40q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func TestUnder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		host, zone string
		want       bool
	}{
		{"tcp.site.com", "site.com", true},
		{"a.b.site.com", "site.com", true},
		{"site.com", "site.com", false},
		{".site.com", "site.com", false},
		{"evilsite.com", "site.com", false},
		{"site.com.evil.org", "site.com", false},
	} {
		if got := Under(c.host, c.zone); got != c.want {
			t.Errorf("Under(%s, %s) = %v", c.host, c.zone, got)
		}
	}
}

func TestParseSelector(t *testing.T) {
	t.Parallel()
	cases := []struct{ in, want string }{
		{"everyone", "everyone"},
		{"email:Alice@Site.COM", "email:alice@site.com"},
		{"email:a@münchen.de", "email:a@xn--mnchen-3ya.de"},
		{"email:\u212Aate@site.com", "email:\u212Aate@site.com"}, // the Kelvin sign is no k
		{"domain:Site.com", "domain:site.com"},
		{"domain:@site.com", "domain:site.com"},
		{"group:Staff", "group:Staff"},
		{"group:a:b", "group:a:b"},
		{"Everyone", ""},
		{"everyone:", ""},
		{"", ""},
		{"email", ""},
		{"email:", ""},
		{"email:@site.com", ""},
		{"email:alice", ""},
		{"email:al ice@site.com", ""},
		{"domain:", ""},
		{"domain:*.site.com", ""},
		{"group:", ""},
		{"group: x", ""},
		{"group:a\nb", ""},
		{"user:alice", ""},
		{"group:" + strings.Repeat("x", 600), ""},
	}
	for _, c := range cases {
		got, err := ParseSelector(c.in)
		if err != nil && c.want != "" || err == nil && got.String() != c.want {
			t.Errorf("ParseSelector(%q) = %q, %v; want %q", c.in, got, err, c.want)
		}
	}
}

func FuzzHostname(f *testing.F) {
	f.Add("TCP.site.com.")
	f.Add("münchen.de")
	f.Fuzz(func(t *testing.T, s string) {
		once, err := Hostname(s)
		if err != nil {
			return
		}
		if twice, err := Hostname(once); err != nil || twice != once || !isName(once) {
			t.Fatalf("%q -> %q -> %q, %v", s, once, twice, err)
		}
	})
}
