package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// The summary of an MSI is a property set (MS-OLEPS) in a stream of its own.
// wixl puts there a random package code and the time of the day.

// summaryFormat is the id of the set, as its bytes lie in the file: it stands
// 28 bytes into the stream, and is followed by the place of the properties.
var summaryFormat = []byte{0xe0, 0x85, 0x9f, 0xf2, 0xf9, 0x4f, 0x68, 0x10, 0xab, 0x91, 0x08, 0x00, 0x2b, 0x27, 0xb3, 0xd9}

// The properties that wixl makes anew each time, and the kinds of their values.
const (
	propertyCode    = 9 // of the package: a GUID in braces
	propertyCreated = 12
	propertySaved   = 13

	kindText, kindTime = 0x1e, 0x40

	codeBytes = 38
	timeBytes = 8
)

var errSummary = errors.New("the summary of the MSI is not where wixl used to put it")

// settle gives an MSI a package code that follows from what is in it, and the
// times of the commit.
func settle(path string, at time.Time) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := settleSummary(text, at); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

func settleSummary(msi []byte, at time.Time) error {
	fields, err := summaryFields(msi)
	if err != nil {
		return err
	}
	for _, f := range fields {
		clear(f)
	}
	for _, id := range []uint32{propertyCreated, propertySaved} {
		binary.LittleEndian.PutUint64(fields[id], fileTime(at))
	}
	h := sha256.Sum256(msi)
	copy(fields[propertyCode], "{"+guidText(h)+"}")
	return nil
}

// summaryFields are the values of the three properties, in place. Every step is
// checked against what the format says, so that another layout is an error and
// not a damaged file.
func summaryFields(msi []byte) (map[uint32][]byte, error) {
	at := bytes.Index(msi, summaryFormat)
	if at < 28 || bytes.Count(msi, summaryFormat) != 1 || len(msi) < at+20 {
		return nil, errSummary
	}
	set := msi[at-28:]
	start := binary.LittleEndian.Uint32(msi[at+16:])
	if uint64(start)+8 > uint64(len(set)) {
		return nil, errSummary
	}
	set = set[start:]
	size, count := binary.LittleEndian.Uint32(set), binary.LittleEndian.Uint32(set[4:])
	if uint64(size) > uint64(len(set)) || 8+8*uint64(count) > uint64(size) {
		return nil, errSummary
	}
	set = set[:size]
	out := map[uint32][]byte{}
	for i := range count {
		row := set[8+8*i:]
		id, offset := binary.LittleEndian.Uint32(row), binary.LittleEndian.Uint32(row[4:])
		switch id {
		case propertyCode:
			out[id] = value(set, offset, kindText, codeBytes)
		case propertyCreated, propertySaved:
			out[id] = value(set, offset, kindTime, timeBytes)
		}
	}
	if code := out[propertyCode]; code == nil || code[0] != '{' || code[codeBytes-1] != '}' || out[propertyCreated] == nil || out[propertySaved] == nil {
		return nil, errSummary
	}
	return out, nil
}

// value is what a property holds, nil where it is of another kind or length. A
// text has its length, with the zero at its end, before it.
func value(set []byte, offset, kind uint32, length int) []byte {
	head := uint64(4)
	if kind == kindText {
		head = 8
	}
	if uint64(offset)+head+uint64(length) > uint64(len(set)) || binary.LittleEndian.Uint32(set[offset:]) != kind {
		return nil
	}
	if kind == kindText && binary.LittleEndian.Uint32(set[offset+4:]) != uint32(length)+1 {
		return nil
	}
	from := uint64(offset) + head
	return set[from : from+uint64(length)]
}

// fileTime is in steps of 100 ns since 1601.
func fileTime(t time.Time) uint64 {
	const since1601 = 11644473600 // seconds to 1970
	return uint64(t.Unix()+since1601) * 10_000_000
}

func guidText(h [sha256.Size]byte) string {
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16]))
}
