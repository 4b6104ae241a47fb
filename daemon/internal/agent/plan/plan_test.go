package plan

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/daemon/internal/store"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func edge(scope, name string, age time.Duration) store.Edge {
	return store.Edge{ID: scope + name, Scope: scope, Name: name, UsedAt: now.Add(-age)}
}

func TestFindEdge(t *testing.T) {
	t.Parallel()
	all := []store.Edge{
		edge(store.Machine, "m1", time.Hour), edge(store.Machine, "m2", time.Minute), edge(store.Machine, "both", time.Hour),
		edge("1000", "own-old", time.Hour), edge("1000", "own-new", time.Minute), edge("1000", "both", 2*time.Hour),
	}
	for _, tt := range []struct{ owner, name, want string }{
		{"1000", "", "1000own-new"},
		{"1000", "own-old", "1000own-old"},
		{"1000", "m1", "machinem1"},
		{"1000", "both", "1000both"},
		{"1000", "none", ""},
		{"1001", "", "machinem2"},
		{"1001", "own-new", ""},
		{store.Machine, "", "machinem2"},
		{store.Machine, "own-new", ""},
	} {
		for range 2 { // whatever the order of the rows
			slices.Reverse(all)
			got, ok := FindEdge(all, tt.owner, tt.name)
			if got.ID != tt.want || ok != (tt.want != "") {
				t.Errorf("%s %q: %q, want %q", tt.owner, tt.name, got.ID, tt.want)
			}
		}
	}
}

func TestDesired(t *testing.T) {
	t.Parallel()
	edges := []store.Edge{edge(store.Machine, "m", 0), edge("1000", "own:8443", 0)}
	forward := store.Forward{ID: "f", Owner: "1000", OwnerName: "bob", Hostname: "h", Listen: "localhost:1", Edge: "own:8443"}
	with := func(f func(*store.Forward)) store.Forward { c := forward; f(&c); return c }
	own, machine := Link{Host: "own", Port: 8443}, Link{Host: "m", Port: 443}
	client := ClientKey{"1000", "own:8443"}
	entry := Entry{Client: client, Link: own, OwnerName: "bob", Hostname: "h", Listen: "localhost:1"}
	for _, tt := range []struct {
		name     string
		contents store.Contents
		memory   Memory
		want     Set
	}{
		{name: "nothing", want: NewSet()},
		{name: "a forward", contents: store.Contents{Forwards: []store.Forward{forward}},
			want: Set{map[ClientKey]Link{client: own}, map[string]Link{}, map[string]Entry{"f": entry}}},
		{name: "a paused forward", contents: store.Contents{Forwards: []store.Forward{with(func(f *store.Forward) { f.Paused = true })}}, want: NewSet()},
		{name: "a forward to nowhere", contents: store.Contents{Forwards: []store.Forward{with(func(f *store.Forward) { f.Edge = "gone" })}}, want: NewSet()},
		{name: "a forward by the edge of another", contents: store.Contents{Forwards: []store.Forward{with(func(f *store.Forward) { f.Owner = "1001" })}}, want: NewSet()},
		{name: "a held forward", memory: Memory{Forwards: map[string]store.Forward{"f": forward}},
			want: Set{map[ClientKey]Link{client: own}, map[string]Link{}, map[string]Entry{"f": entry}}},
		{name: "a session", contents: store.Contents{Sessions: []store.Session{{Scope: "1000", Edge: "m", Token: "t"}}},
			want: Set{map[ClientKey]Link{{"1000", "m"}: machine}, map[string]Link{}, map[string]Entry{}}},
		{name: "a session that has ended", contents: store.Contents{Sessions: []store.Session{{Scope: "1000", Edge: "m"}}}, want: NewSet()},
		{name: "a logout to deliver", contents: store.Contents{Sessions: []store.Session{{Scope: "1000", Edge: "m", Farewell: &store.Farewell{}}}},
			want: Set{map[ClientKey]Link{{"1000", "m"}: machine}, map[string]Link{}, map[string]Entry{}}},
		{name: "asked for", memory: Memory{Clients: map[ClientKey]time.Time{{"1000", "m"}: now.Add(1)}, Hosts: map[string]time.Time{"m": now.Add(1)}},
			want: Set{map[ClientKey]Link{{"1000", "m"}: machine}, map[string]Link{"m": machine}, map[string]Entry{}}},
		{name: "asked for long ago", memory: Memory{Clients: map[ClientKey]time.Time{{"1000", "m"}: now}, Hosts: map[string]time.Time{"m": now}}, want: NewSet()},
		{name: "a tunnel", contents: store.Contents{Tunnels: []store.Tunnel{{ID: "t", Edge: "m"}}},
			want: Set{map[ClientKey]Link{}, map[string]Link{"m": machine}, map[string]Entry{}}},
		{name: "a held tunnel", memory: Memory{Tunnels: map[string]store.Tunnel{"t": {ID: "t", Edge: "m"}}},
			want: Set{map[ClientKey]Link{}, map[string]Link{"m": machine}, map[string]Entry{}}},
		{name: "a tunnel by a user's edge", contents: store.Contents{Tunnels: []store.Tunnel{{ID: "t", Edge: "own:8443"}}}, want: NewSet()},
		{name: "a paused tunnel", contents: store.Contents{Tunnels: []store.Tunnel{{ID: "t", Edge: "m", Paused: true}}}, want: NewSet()},
		{name: "an enrolment", contents: store.Contents{Enrolments: []store.Enrolment{{Edge: "m"}}},
			want: Set{map[ClientKey]Link{}, map[string]Link{"m": machine}, map[string]Entry{}}},
		{name: "an enrolment that has ended", contents: store.Contents{Enrolments: []store.Enrolment{{Edge: "m", Ended: &store.Reason{}}}}, want: NewSet()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.contents.Edges = edges
			if got := Desired(tt.contents, tt.memory, now); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestDifference(t *testing.T) {
	t.Parallel()
	a, b := ClientKey{"1", "a"}, ClientKey{"1", "b"}
	l1, l2 := Link{Host: "1"}, Link{Host: "2"}
	set := func(c map[ClientKey]Link, h map[string]Link, e map[string]Entry) Set { return Set{c, h, e} }
	for _, tt := range []struct {
		name       string
		want, have Set
		changes    Changes
	}{
		{"nothing", NewSet(), NewSet(), Changes{}},
		{"all new", set(map[ClientKey]Link{b: l1, a: l1}, map[string]Link{"h": l1}, map[string]Entry{"f2": {}, "f1": {}}), NewSet(),
			Changes{StartHosts: []string{"h"}, StartClients: []ClientKey{a, b}, StartEntries: []string{"f1", "f2"}}},
		{"all gone", NewSet(), set(map[ClientKey]Link{b: l1, a: l1}, map[string]Link{"h": l1}, map[string]Entry{"f2": {}, "f1": {}}),
			Changes{StopHosts: []string{"h"}, StopClients: []ClientKey{a, b}, StopEntries: []string{"f1", "f2"}}},
		{"the same", set(map[ClientKey]Link{a: l1}, map[string]Link{"h": l1}, map[string]Entry{"f": {Link: l1}}), set(map[ClientKey]Link{a: l1}, map[string]Link{"h": l1}, map[string]Entry{"f": {Link: l1}}), Changes{}},
		{"changed", set(map[ClientKey]Link{a: l2}, map[string]Link{"h": l2}, map[string]Entry{"f": {Link: l2}}), set(map[ClientKey]Link{a: l1}, map[string]Link{"h": l1}, map[string]Entry{"f": {Link: l1}}),
			Changes{StopEntries: []string{"f"}, StopClients: []ClientKey{a}, StopHosts: []string{"h"}, StartHosts: []string{"h"}, StartClients: []ClientKey{a}, StartEntries: []string{"f"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Difference(tt.want, tt.have); !reflect.DeepEqual(got, tt.changes) {
				t.Errorf("got  %+v\nwant %+v", got, tt.changes)
			}
		})
	}
}
