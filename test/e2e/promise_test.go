//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promise is a row of docs/json.md: what a command prints with --json.
type promise struct {
	prints string // object, list, lines, nothing; else no JSON
	fields []string
}

// promises reads the table of a program. A schema of the local API stands for
// its fields.
func promises(t *testing.T, program string) map[string]promise {
	t.Helper()
	doc, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "\n## "+program+"\n")
	text, _, _ = strings.Cut(text, "\n## ")
	word, schemas := regexp.MustCompile("`([^`]+)`"), schemas(t)
	all := map[string]promise{}
	var last promise
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[1], "`") {
			continue
		}
		p := promise{prints: strings.TrimSpace(cells[2])}
		cell := strings.TrimSpace(cells[3])
		name, _, _ := strings.Cut(cell, " ")
		if fields, ok := schemas[strings.TrimRight(name, ",;")]; ok {
			p.fields = fields
		} else if cell == "the same" {
			p.fields = last.fields
		} else {
			for _, m := range word.FindAllStringSubmatch(cell, -1) {
				p.fields = append(p.fields, m[1])
			}
		}
		for _, m := range word.FindAllStringSubmatch(cells[1], -1) {
			all[m[1]] = p
		}
		last = p
	}
	return all
}

// schemas are the fields of the local API's objects, those that may be missing
// with a question mark.
func schemas(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../../api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Required   []string
				Properties map[string]any
			}
		}
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for name, s := range doc.Components.Schemas {
		for f := range s.Properties {
			if !slices.Contains(s.Required, f) {
				f += "?"
			}
			all[name] = append(all[name], f)
		}
	}
	return all
}

// keeps says how an output breaks a promise.
func (p promise) keeps(out string) error {
	switch p.prints {
	case "nothing":
		if out != "" {
			return fmt.Errorf("something was printed: %q", out)
		}
		return nil
	case "list":
		var list []map[string]any
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			return err
		}
		if len(list) == 0 {
			return errors.New("an empty list shows nothing")
		}
		return errors.Join(each(list, p.fits)...)
	case "object":
		var o map[string]any
		if err := json.Unmarshal([]byte(out), &o); err != nil {
			return err
		}
		return p.fits(o)
	case "lines":
		var list []map[string]any
		for line := range strings.Lines(out) {
			var o map[string]any
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				return fmt.Errorf("line %q: %w", line, err)
			}
			list = append(list, o)
		}
		if len(list) == 0 {
			return errors.New("no line")
		}
		return errors.Join(each(list, p.fits)...)
	}
	return fmt.Errorf("nothing is known of %q", p.prints)
}

func each[T any](list []T, f func(T) error) (errs []error) {
	for _, x := range list {
		errs = append(errs, f(x))
	}
	return errs
}

// fits compares the fields of one object.
func (p promise) fits(o map[string]any) error {
	var errs []error
	for _, f := range p.fields {
		name, optional := strings.CutSuffix(f, "?")
		if _, ok := o[name]; !ok && !optional && f != "…" {
			errs = append(errs, fmt.Errorf("field %s is missing", name))
		}
	}
	for name := range o {
		if !slices.Contains(p.fields, name) && !slices.Contains(p.fields, name+"?") && !slices.Contains(p.fields, "…") {
			errs = append(errs, fmt.Errorf("field %s is not in docs/json.md", name))
		}
	}
	return errors.Join(errs...)
}
