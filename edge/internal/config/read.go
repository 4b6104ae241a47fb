package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that is wrong with the file.
type Fault struct {
	File string
	Line int    // 0: the file as a whole, or a key that is missing
	Key  string // such as "sites[0].zone"; "" where no key is meant
	// Problem is what is wrong and what to do.
	Problem string
}

// Error gives "FILE:LINE: KEY: PROBLEM".
func (f *Fault) Error() string {
	s := f.File
	if f.Line > 0 {
		s += ":" + strconv.Itoa(f.Line)
	}
	if f.Key != "" {
		s += ": " + f.Key
	}
	return s + ": " + f.Problem
}

// reader turns values into settings and gathers faults.
type reader struct {
	file   string
	faults []*Fault
	lines  map[string]int // where each key that is there stands
}

func (r *reader) fault(line int, key, format string, args ...any) {
	r.faults = append(r.faults, &Fault{File: r.file, Line: line, Key: key, Problem: fmt.Sprintf(format, args...)})
}

// wrong is a fault of a key that has been read, or is missing.
func (r *reader) wrong(key, format string, args ...any) {
	r.fault(r.lines[key], key, format, args...)
}

// err joins the faults in the order of the file.
func (r *reader) err() error {
	slices.SortStableFunc(r.faults, func(a, b *Fault) int { return a.Line - b.Line })
	errs := make([]error, len(r.faults))
	for i, f := range r.faults {
		f.File = r.file
		errs[i] = f
	}
	return errors.Join(errs...)
}

// section is one mapping of the file.
type section struct {
	r      *reader
	path   string // "" or ending in a dot
	values map[string]value
}

// section reads a mapping. Keys that the table of keys does not have are faults.
func (r *reader) section(v value, path string) section {
	s := section{r: r, path: path, values: map[string]value{}}
	if v.kind == kindNull {
		return s
	}
	if v.kind != kindMapping {
		r.fault(v.line, strings.TrimSuffix(path, "."), "is %s; write keys with values below it", v.kind)
		return s
	}
	known := knownKeys(path)
	for _, e := range v.entries {
		key := path + e.key
		if _, twice := s.values[e.key]; twice {
			r.fault(e.line, key, "is there twice, first in line %d; remove one", r.lines[key])
			continue
		}
		if !slices.Contains(known, e.key) {
			r.fault(e.line, key, "is not a key; %s", suggest(e.key, known))
			continue
		}
		s.values[e.key] = e.value
		r.lines[key] = e.line
	}
	return s
}

func (s section) section(name string) section {
	v, ok := s.values[name]
	if !ok {
		v.kind = kindNull
	}
	return s.r.section(v, s.path+name+".")
}

// has says whether a key is there with a value.
func (s section) has(name string) bool {
	v, ok := s.values[name]
	return ok && v.kind != kindNull
}

func (s section) text(name, otherwise string) string {
	if !s.has(name) {
		return otherwise
	}
	v := s.values[name]
	if v.kind != kindText {
		s.r.wrong(s.path+name, "is %s; write text (a number in quotes)", v.kind)
		return otherwise
	}
	return v.text
}

func (s section) port(name string, otherwise uint16) uint16 {
	if !s.has(name) {
		return otherwise
	}
	v := s.values[name]
	n, err := strconv.ParseUint(v.text, 10, 16)
	if v.kind != kindInteger || err != nil || n == 0 {
		s.r.wrong(s.path+name, "write a number between 1 and 65535")
		return otherwise
	}
	return uint16(n)
}

func (s section) duration(name string, otherwise time.Duration) time.Duration {
	if !s.has(name) {
		return otherwise
	}
	v := s.values[name]
	d, err := time.ParseDuration(v.text)
	if v.kind != kindText || err != nil {
		s.r.wrong(s.path+name, "write a duration with its unit, such as 12h, 30m or 90s")
		return otherwise
	}
	return d
}

func (s section) list(name string) []value {
	if !s.has(name) {
		return nil
	}
	v := s.values[name]
	if v.kind != kindList {
		s.r.wrong(s.path+name, "is %s; write a list, each item on a line after a hyphen", v.kind)
		return nil
	}
	return v.list
}

func (s section) texts(name string, otherwise []string) []string {
	if !s.has(name) {
		return otherwise
	}
	texts := []string{}
	for i, v := range s.list(name) {
		key := fmt.Sprintf("%s%s[%d]", s.path, name, i)
		s.r.lines[key] = v.line
		if v.kind != kindText {
			s.r.wrong(key, "is %s; write text", v.kind)
			continue
		}
		texts = append(texts, v.text)
	}
	return texts
}

// suggest names the known key that the person may have meant.
func suggest(key string, known []string) string {
	best, least := "", 3 // more changes than that is another word
	for _, k := range known {
		if d := distance(strings.ToLower(key), k); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %s?", best)
	}
	return "here are: " + strings.Join(known, ", ")
}

// distance is how many letters have to be changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, last+1, row[j]+1)
		}
	}
	return row[len(b)]
}
