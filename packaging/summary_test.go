package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/needs"
)

// summary is a file with a summary as wixl writes it, of a code and a time.
func summary(code string, at uint64) []byte {
	le := binary.LittleEndian
	var values, rows bytes.Buffer
	put := func(id uint32, value []byte) {
		rows.Write(le.AppendUint32(le.AppendUint32(nil, id), uint32(8+4*8+values.Len())))
		values.Write(value)
	}
	put(1, []byte{2, 0, 0, 0, 0xe4, 4, 0, 0})
	put(propertyCode, append(le.AppendUint32(le.AppendUint32(nil, kindText), uint32(len(code))+1), code+"\x00\x00"...))
	for _, id := range []uint32{propertyCreated, propertySaved} {
		put(id, le.AppendUint64(le.AppendUint32(nil, kindTime), at))
	}
	out := bytes.Repeat([]byte{'x'}, 100)
	out = append(append(out, make([]byte, 28)...), summaryFormat...)
	out = le.AppendUint32(out, 48)
	out = le.AppendUint32(le.AppendUint32(out, uint32(8+rows.Len()+values.Len())), 4)
	return append(append(append(out, rows.Bytes()...), values.Bytes()...), "the rest"...)
}

func TestSettleSummary(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 0)
	a, b := summary("{0A258987-F70F-4551-A6AD-554477DF4F5B}", 1), summary("{7D1C2C1E-3A64-4A6B-9A6E-6A1B0C2D3E4B}", 2)
	other := append(bytes.Clone(a), "of another content"...)
	for _, msi := range [][]byte{a, b, other} {
		if err := settleSummary(msi, at); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a, b) {
		t.Error("two of one content differ")
	}
	if bytes.Equal(a, other[:len(a)]) {
		t.Error("another content has the same package code")
	}
}

func TestSettleRefusesAnotherLayout(t *testing.T) {
	t.Parallel()
	const code = "{0A258987-F70F-4551-A6AD-554477DF4F5B}"
	good := summary(code, 1)
	twice := append(bytes.Clone(good), summaryFormat...)
	far := bytes.Clone(good)
	binary.LittleEndian.PutUint32(far[144:], 1<<31)
	many := bytes.Clone(good)
	binary.LittleEndian.PutUint32(many[152:], 1<<30)
	for name, msi := range map[string][]byte{
		"none": []byte("nothing"), "short": good[:146], "cut": good[:200], "twice": twice, "far": far, "many": many,
		"no braces": summary(strings.Repeat("0", codeBytes), 1), "short code": summary("{0}", 1),
	} {
		if err := settleSummary(msi, time.Unix(0, 0)); !errors.Is(err, errSummary) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSettledMSI has wixl itself make two of the same.
func TestSettledMSI(t *testing.T) {
	t.Parallel()
	needs.Program(t, "wixl")
	source, err := filepath.Abs("testdata/small.wxs")
	if err != nil {
		t.Fatal(err)
	}
	var made [2]string
	for i := range made {
		made[i] = filepath.Join(t.TempDir(), "small.msi")
		cmd := exec.CommandContext(t.Context(), "wixl", "-o", made[i], source)
		cmd.Dir = "testdata"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("wixl: %v: %s", err, out)
		}
		if err := settle(made[i], time.Unix(1700000000+int64(i), 0)); err != nil {
			t.Fatal(err)
		}
	}
	if exec.Command("cmp", "-s", made[0], made[1]).Run() == nil {
		t.Error("the time of the commit is not in it")
	}
	if err := settle(made[1], time.Unix(1700000000, 0)); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cmp", made[0], made[1]).CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
}
