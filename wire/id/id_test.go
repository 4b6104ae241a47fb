package id

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestIDsReturn(t *testing.T) {
	t.Parallel()
	type all struct {
		Stream Stream `json:"stream,omitzero"`
		Trunk  Trunk  `json:"trunk"`
		Trace  Trace  `json:"trace"`
		Key    Key    `json:"key"`
	}
	in := all{NewStream(), NewTrunk(), NewTrace(), Key{1, 2, 3}}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var out all
	if err := json.Unmarshal(b, &out); err != nil || out != in {
		t.Errorf("%s becomes %+v, %v", b, out, err)
	}
	if !strings.Contains(string(b), in.Stream.String()) {
		t.Errorf("%s does not show the hex of %v", b, in.Stream)
	}
	if b, _ = json.Marshal(all{}); strings.Contains(string(b), "stream") {
		t.Errorf("a zero id is not left out: %s", b)
	}
}

func TestIDsDiffer(t *testing.T) {
	t.Parallel()
	for what, make := range map[string]func() any{
		"stream": func() any { return NewStream() }, "trunk": func() any { return NewTrunk() },
		"trace": func() any { return NewTrace() }, "label": func() any { return NewLabel() },
	} {
		if first, second := make(), make(); first == second {
			t.Errorf("%s: two random ids are the same", what)
		}
	}
	if NewStream().IsZero() || !(Stream{}).IsZero() || !(Trunk{}).IsZero() || !(Key{}).IsZero() {
		t.Error("IsZero")
	}
}

func TestLabelOf(t *testing.T) {
	t.Parallel()
	const label = "abcdefghijklmnopqrstuvwx27"
	for _, test := range []struct {
		name string
		want Label
		ok   bool
	}{
		{"t" + label + ".edge.site.com", label, true},
		{"t" + label + ".localhost", label, true},
		{"t" + label, "", false},
		{"t" + label + ".", "", false},
		{label + ".edge.site.com", "", false},
		{"x" + label + ".edge.site.com", "", false},
		{"t" + label + "a.edge.site.com", "", false},
		{"t" + label[1:] + ".edge.site.com", "", false},
		{"t" + strings.ToUpper(label) + ".edge.site.com", "", false},
		{"t" + label[:25] + "1.edge.site.com", "", false},
		{"tcp.site.com", "", false},
		{"", "", false},
	} {
		if got, ok := LabelOf(test.name); got != test.want || ok != test.ok {
			t.Errorf("%q gives %q, %v", test.name, got, ok)
		}
	}
	l := NewLabel()
	if got, ok := LabelOf(l.ServerName("edge.site.com")); got != l || !ok {
		t.Errorf("%q becomes %q, %v", l, got, ok)
	}
}

func FuzzLabel(f *testing.F) {
	f.Add("tabcdefghijklmnopqrstuvwx27.edge.site.com")
	f.Add("tcp.site.com")
	f.Add(".")
	f.Fuzz(func(t *testing.T, name string) {
		l, ok := LabelOf(name)
		if !ok {
			return
		}
		_, edge, _ := strings.Cut(name, ".")
		if again := l.ServerName(edge); again != name {
			t.Errorf("%q becomes %q", name, again)
		}
	})
}

func FuzzIDs(f *testing.F) {
	f.Add([]byte("00112233445566778899aabbccddeeff"))
	f.Add([]byte("0011223344556677"))
	f.Add([]byte("xyz"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Stream
		if s.UnmarshalText(b) == nil && s.String() != strings.ToLower(string(b)) {
			t.Errorf("%q becomes %v", b, s)
		}
		var c Trace
		if c.UnmarshalText(b) == nil && c.String() != strings.ToLower(string(b)) {
			t.Errorf("%q becomes %v", b, c)
		}
		var u Trunk
		var k Key
		if (u.UnmarshalText(b) == nil) != (len(b) == 32 && s.UnmarshalText(b) == nil) || k.UnmarshalText(b) == nil && len(b) != 64 {
			t.Errorf("%q: a wrong length passes", b)
		}
	})
}
