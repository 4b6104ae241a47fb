package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxText  = 1 << 10 // bytes of one text
	maxItems = 64      // of a list or map
)

// clipped is put where a text was cut.
const clipped = "…"

// line writes a record as the line after head, and gives its hash.
func (l *Log) line(r Record, h head) (line []byte, hash string, err error) {
	clip(reflect.ValueOf(&r).Elem())
	r.Time = r.Time.UTC()
	if y := r.Time.Year(); r.Time.IsZero() || y < 0 || y > 9999 { // JSON has no other years
		r.Time = time.Now().UTC()
	}
	r.Seq, r.Edge, r.Prev, r.Hash = h.seq+1, l.edge, h.hash, ""
	body, err := json.Marshal(r)
	if err != nil {
		return nil, "", fmt.Errorf("encode audit line: %w", err)
	}
	sum := sha256.Sum256(body)
	hash = hex.EncodeToString(sum[:])
	// Hash is the last field, and empty: put it between its quotes.
	line = append(body[:len(body)-len(`"}`)], hash...)
	return append(line, "\"}\n"...), hash, nil
}

// unline checks a line's own hash and gives its place in the chain.
func unline(line []byte) (at head, prev string, err error) {
	const tail = len(`"}`)
	end := len(line) - tail
	begin := end - hex.EncodedLen(sha256.Size)
	if begin < 0 || !bytes.HasSuffix(line[:begin], []byte(`"hash":"`)) || string(line[end:]) != `"}` {
		return head{}, "", errors.New("not a line of this log")
	}
	sum := sha256.Sum256(append(bytes.Clone(line[:begin]), `"}`...))
	at.hash = string(line[begin:end])
	if hex.EncodeToString(sum[:]) != at.hash {
		return head{}, "", errors.New("the line was changed: its hash does not fit")
	}
	var r struct {
		Seq  uint64 `json:"seq"`
		Prev string `json:"prev"`
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return head{}, "", fmt.Errorf("not a line of this log: %w", err)
	}
	at.seq = r.Seq
	return at, r.Prev, nil
}

// clip bounds every text, list and map of a record.
func clip(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				clip(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(clipText(v.String()))
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		n := min(v.Len(), maxItems)
		short := reflect.MakeSlice(v.Type(), n, n) // the caller's stays as it is
		reflect.Copy(short, v)
		for i := range n {
			clip(short.Index(i))
		}
		v.Set(short)
	case reflect.Map:
		clipMap(v)
	}
}

func clipMap(v reflect.Value) {
	if v.IsNil() {
		return
	}
	short := reflect.MakeMap(v.Type())
	for it := v.MapRange(); it.Next() && short.Len() < maxItems; {
		short.SetMapIndex(reflect.ValueOf(clipText(it.Key().String())), it.Value())
	}
	v.Set(short)
}

// clipText bounds a text and takes out what could act on a reader's terminal and
// is not escaped by JSON.
func clipText(s string) string {
	plain := len(s) <= maxText
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] < 0x7f
	}
	if plain {
		return s
	}
	if len(s) > maxText {
		n := maxText - len(clipped)
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n] + clipped
	}
	return strings.Map(func(r rune) rune {
		if r >= 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return utf8.RuneError
		}
		return r
	}, s)
}
