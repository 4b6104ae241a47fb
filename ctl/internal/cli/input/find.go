package input

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api"
)

// Find is the one object that a word means: its id, or else one of its names if
// no other object has it. noun and hint are for the sentence when it is not so.
func Find[T any](all []T, word, noun, hint string, id func(T) string, names func(T) []string) (T, error) {
	var zero T
	var found []T
	for _, v := range all {
		if id(v) == word {
			return v, nil
		}
		if slices.ContainsFunc(names(v), func(n string) bool { return strings.EqualFold(n, word) }) {
			found = append(found, v)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return zero, &api.Problem{Code: api.CodeNotFound, Title: fmt.Sprintf("There is no %s %q", noun, word), Hint: hint}
	}
	var ids []string
	for _, v := range found {
		ids = append(ids, id(v))
	}
	return zero, &api.Problem{
		Code:  api.CodeConflict,
		Title: fmt.Sprintf("%q means more than one %s", word, noun), Detail: strings.Join(ids, ", "),
		Hint: "give the id; " + hint,
	}
}

// FindForward finds by its id, hostname or local address.
func FindForward(all []api.Forward, word string) (api.Forward, error) {
	return Find(all, word, "forward", "sallyport forward list",
		func(f api.Forward) string { return f.ID },
		func(f api.Forward) []string {
			return []string{f.Hostname, f.Listen, strings.TrimPrefix(f.Listen, "localhost"), strings.TrimPrefix(f.Listen, "localhost:")}
		})
}

// FindTunnel finds by its id or hostname.
func FindTunnel(all []api.Tunnel, word string) (api.Tunnel, error) {
	return Find(all, word, "tunnel", "sallyport tunnel list",
		func(t api.Tunnel) string { return t.ID },
		func(t api.Tunnel) []string { return []string{t.Hostname} })
}

// FindEdge finds by its id or name; where the machine and the person both have
// it, the person's own is meant.
func FindEdge(all []api.Edge, word string) (api.Edge, error) {
	if name, err := Edge(word); err == nil && !strings.HasPrefix(word, "edg_") {
		word = name
	}
	own := slices.DeleteFunc(slices.Clone(all), func(e api.Edge) bool { return e.Machine })
	find := func(from []api.Edge) (api.Edge, error) {
		return Find(from, word, "edge", "sallyport edge list",
			func(e api.Edge) string { return e.ID },
			func(e api.Edge) []string { return []string{e.Name} })
	}
	if e, err := find(own); err == nil {
		return e, nil
	}
	return find(all)
}
