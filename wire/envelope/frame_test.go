package envelope

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// split takes one frame off b.
func split(b []byte) (t Type, body, rest []byte, err error) {
	if len(b) < HeaderSize {
		return 0, nil, nil, ErrLength
	}
	t, n, err := ParseHeader([HeaderSize]byte(b))
	if err != nil {
		return 0, nil, nil, err
	}
	if len(b) < HeaderSize+n {
		return 0, nil, nil, ErrLength
	}
	return t, b[HeaderSize:][:n], b[HeaderSize+n:], nil
}

func one(tb testing.TB, want Type, b []byte) []byte {
	tb.Helper()
	got, body, rest, err := split(b)
	if err != nil || got != want || len(rest) != 0 {
		tb.Fatalf("frame %d, rest %d, %v; want one frame %d", got, len(rest), err, want)
	}
	return body
}

func TestFramesReturn(t *testing.T) {
	t.Parallel()
	o := Opening{ID: [16]byte{1, 2, 3}, Trace: [8]byte{4, 5}}
	if got, err := ParseOpen(one(t, Open, AppendOpen(nil, o))); got != o || err != nil {
		t.Errorf("open: %+v, %v", got, err)
	}
	a := Acking{1 << 40, 1<<40 + MaxWindow}
	if got, err := ParseAck(one(t, Ack, AppendAck(nil, a))); got != a || err != nil {
		t.Errorf("ack: %+v, %v", got, err)
	}
	for _, w := range []Words{{Code: "ok"}, {"denied", "not allowed", "ask bob"}} {
		if got, err := ParseWords(one(t, Verdict, AppendVerdict(nil, w))); got != w || err != nil {
			t.Errorf("verdict: %+v, %v", got, err)
		}
		if got, err := ParseWords(one(t, Rst, AppendRst(nil, w))); got != w || err != nil {
			t.Errorf("rst: %+v, %v", got, err)
		}
	}
	for _, at := range []Attachment{{ID: [16]byte{9}, Epoch: 7, Received: 1 << 50}, {FinSeen: true}} {
		if got, err := ParseAttach(one(t, Attach, AppendAttach(nil, at))); got != at || err != nil {
			t.Errorf("attach: %+v, %v", got, err)
		}
	}
	one(t, Fin, AppendFin(nil))
	one(t, Data, append(AppendData(nil, 3), "abc"...))
}

// The bytes are fixed: docs/protocol.md shows them.
func TestFramesByteByByte(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		got  []byte
		want string
	}{
		{"verdict", AppendVerdict(nil, Words{Code: "ok"}), "\x02\x00\x00\x07\x02ok\x00\x00\x00\x00"},
		{"data", AppendData(nil, 0x010203), "\x03\x01\x02\x03"},
		{"ack", AppendAck(nil, Acking{1, 0x10001}), "\x04\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x01\x00\x01"},
		{"fin", AppendFin(nil), "\x05\x00\x00\x00"},
		{"rst", AppendRst(nil, Words{"reset", "t", "h"}), "\x06\x00\x00\x0c\x05reset\x00\x01t\x00\x01h"},
	} {
		if string(test.got) != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}

func TestHeaderBounds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		header [4]byte
		want   error
	}{
		{"type 0", [4]byte{0, 0, 0, 1}, ErrType},
		{"type above", [4]byte{8, 0, 0, 1}, ErrType},
		{"empty data", [4]byte{byte(Data), 0, 0, 0}, ErrLength},
		{"largest data", [4]byte{byte(Data), 0, MaxPayload >> 8, MaxPayload & 0xff}, nil},
		{"too much data", [4]byte{byte(Data), 0, (MaxPayload + 1) >> 8, (MaxPayload + 1) & 0xff}, ErrLength},
		{"short ack", [4]byte{byte(Ack), 0, 0, 15}, ErrLength},
		{"ack of a later version", [4]byte{byte(Ack), 0, 0, 24}, nil},
		{"long words", [4]byte{byte(Rst), 0, 0x10, 1}, ErrLength},
		{"short open", [4]byte{byte(Open), 0, 0, 23}, ErrLength},
	} {
		if _, _, err := ParseHeader(test.header); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestWordsAreChecked(t *testing.T) {
	t.Parallel()
	long := Words{Code: strings.Repeat("c", 100), Text: strings.Repeat("é", 1000), Hint: strings.Repeat("h", 9999)}
	got, err := ParseWords(one(t, Rst, AppendRst(nil, long)))
	if err != nil || len(got.Code) != 64 || len(got.Text) != 1024 || len(got.Hint) != 1024 {
		t.Errorf("long words: %d/%d/%d, %v", len(got.Code), len(got.Text), len(got.Hint), err)
	}
	for _, bad := range []string{
		"", "\x00", "\x01a", "\x01a\x00\x05ab\x00\x00", "\x00\x00\x00\x00\x00",
		"\x01a\x00\x01\x1b\x00\x00", // an escape to the terminal
		"\x01a\x00\x01\xff\x00\x00", // no UTF-8
	} {
		if w, err := ParseWords([]byte(bad)); err == nil {
			t.Errorf("%q gives %+v", bad, w)
		}
	}
}

// Every decoder: no panic, and what it takes it gives back.
func FuzzFrames(f *testing.F) {
	f.Add(AppendOpen(nil, Opening{ID: [16]byte{1}}))
	f.Add(AppendAck(nil, Acking{5, 70000}))
	f.Add(AppendVerdict(nil, Words{"ok", "", ""}))
	f.Add(AppendRst(AppendFin(nil), Words{"reset", "the text", "the hint"}))
	f.Add(AppendAttach(nil, Attachment{Epoch: 1, FinSeen: true}))
	f.Add(append(AppendData(nil, 3), "abc\x04"...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			kind, body, rest, err := split(b)
			if err != nil {
				return
			}
			var again []byte
			switch kind {
			case Open:
				o, err := ParseOpen(body)
				if err != nil {
					t.Fatal(err)
				}
				again = AppendOpen(nil, o)
			case Ack:
				a, err := ParseAck(body)
				if err != nil {
					t.Fatal(err)
				}
				again = AppendAck(nil, a)
			case Verdict, Rst:
				if w, err := ParseWords(body); err == nil && len(w.Code) <= 64 && len(w.Text) <= 1024 && len(w.Hint) <= 1024 {
					again = appendWords(nil, kind, w)
				}
			case Attach:
				a, err := ParseAttach(body)
				if err != nil {
					t.Fatal(err)
				}
				again = AppendAttach(nil, a)
				body = append(bytes.Clone(body[:28]), body[28]&1)
			}
			if len(again) > 0 && !bytes.HasPrefix(body, again[HeaderSize:]) {
				t.Fatalf("frame %d: %x becomes %x", kind, body, again)
			}
			b = rest
		}
	})
}
