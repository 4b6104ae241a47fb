// Package plan says what is to run, and what leads there from what runs. It is
// pure: rows and times go in, names of units come out.
//
// Shapes: a Set names units with all that each is made of; Desired makes it of
// the database and of what is wanted for a while; Difference compares it with
// what runs.
//
// Which units are desired:
//
//	client   a forward of that owner leads there, there is a session, a logout
//	         is to be delivered, or it was asked for a short while ago
//	host     there is a tunnel, or an enrolment, or it was asked for a short
//	         while ago
//	entry    a forward that is not paused, whose edge is known
package plan

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/check"
	"github.com/sallyport/sallyport/daemon/internal/store"
)

// ClientKey names a client: an OS user at an edge.
type ClientKey struct{ Owner, Edge string }

// Compare orders keys.
func (k ClientKey) Compare(o ClientKey) int {
	return cmp.Or(cmp.Compare(k.Owner, o.Owner), cmp.Compare(k.Edge, o.Edge))
}

// Link is all that a link is made of. A change of it makes another link.
type Link struct {
	Host    string
	Port    uint16
	Address string
	CAPEM   string
	Proxy   string
	// Strict: only hosts are met whose keys are known.
	Strict bool
}

// Entry is all that an entry is made of.
type Entry struct {
	Client    ClientKey
	Link      Link
	OwnerName string
	Hostname  string
	Listen    string
	HTTP      bool
	Share     string
}

// Set is what is to run, or what runs.
type Set struct {
	Clients map[ClientKey]Link
	Hosts   map[string]Link // by edge
	Entries map[string]Entry
}

// NewSet is an empty one.
func NewSet() Set {
	return Set{map[ClientKey]Link{}, map[string]Link{}, map[string]Entry{}}
}

// Changes lead from what runs to what is to run. They are made in the order of
// the fields: what hangs on a unit stops before it and starts after it.
type Changes struct {
	StopEntries  []string
	StopClients  []ClientKey
	StopHosts    []string
	StartHosts   []string
	StartClients []ClientKey
	StartEntries []string
}

// Difference leads from what runs to what is to run, in a stable order. A unit
// that is made of other things than before is stopped and started.
func Difference(want, have Set) Changes {
	var c Changes
	c.StopEntries, c.StartEntries = difference(want.Entries, have.Entries, cmp.Compare[string])
	c.StopClients, c.StartClients = difference(want.Clients, have.Clients, ClientKey.Compare)
	c.StopHosts, c.StartHosts = difference(want.Hosts, have.Hosts, cmp.Compare[string])
	return c
}

func difference[K, V comparable](want, have map[K]V, order func(K, K) int) (stop, start []K) {
	for _, k := range slices.SortedFunc(maps.Keys(have), order) {
		if spec, ok := want[k]; !ok || spec != have[k] {
			stop = append(stop, k)
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(want), order) {
		if spec, ok := have[k]; !ok || spec != want[k] {
			start = append(start, k)
		}
	}
	return stop, start
}

// Memory is what is wanted beside the database, for as long as this process
// lives.
type Memory struct {
	Forwards map[string]store.Forward // held by requests
	Tunnels  map[string]store.Tunnel  // held by requests
	Clients  map[ClientKey]time.Time  // asked for, until then
	Hosts    map[string]time.Time     // asked for, until then
}

// NewMemory is an empty one.
func NewMemory() Memory {
	return Memory{map[string]store.Forward{}, map[string]store.Tunnel{}, map[ClientKey]time.Time{}, map[string]time.Time{}}
}

// Desired is what is to run, by the database and by memory.
func Desired(c store.Contents, m Memory, now time.Time) Set {
	want := NewSet()
	client := func(owner, edge string) (ClientKey, Link, bool) {
		row, ok := FindEdge(c.Edges, owner, edge)
		key := ClientKey{owner, edge}
		if !ok {
			return key, Link{}, false
		}
		want.Clients[key] = specOf(row)
		return key, specOf(row), true
	}
	host := func(edge string) {
		if row, ok := FindEdge(c.Edges, store.Machine, edge); ok {
			want.Hosts[edge] = specOf(row)
		}
	}
	ForEach(c.Forwards, m.Forwards, func(f store.Forward) {
		if f.Paused {
			return
		}
		if key, link, ok := client(f.Owner, f.Edge); ok {
			want.Entries[f.ID] = Entry{key, link, f.OwnerName, f.Hostname, f.Listen, f.HTTP, f.Share}
		}
	})
	for _, s := range c.Sessions {
		if s.Token != "" || s.Farewell != nil {
			client(s.Scope, s.Edge)
		}
	}
	for k, until := range m.Clients {
		if now.Before(until) {
			client(k.Owner, k.Edge)
		}
	}
	ForEach(c.Tunnels, m.Tunnels, func(t store.Tunnel) {
		if !t.Paused {
			host(t.Edge)
		}
	})
	for _, e := range c.Enrolments {
		if e.Ended == nil {
			host(e.Edge)
		}
	}
	for edge, until := range m.Hosts {
		if now.Before(until) {
			host(edge)
		}
	}
	return want
}

// ForEach goes through what is kept and what is held.
func ForEach[T any](kept []T, held map[string]T, f func(T)) {
	for _, v := range kept {
		f(v)
	}
	for _, id := range slices.Sorted(maps.Keys(held)) {
		f(held[id])
	}
}

func specOf(e store.Edge) Link {
	host, port := check.SplitEdge(e.Name)
	return Link{host, port, e.Address, e.CAPEM, e.Proxy, e.HostKeys == api.HostKeysStrict}
}

// FindEdge finds the edge of a name as an owner means it: their own row, else
// the machine's. The name "" is the edge used last, an own one before the
// machine's.
func FindEdge(all []store.Edge, owner, name string) (found store.Edge, ok bool) {
	for _, e := range all {
		if (e.Scope != owner && e.Scope != store.Machine) || (name != "" && e.Name != name) {
			continue
		}
		better := e.Scope == found.Scope && e.UsedAt.After(found.UsedAt) || e.Scope == owner && found.Scope != owner
		if !ok || better {
			found, ok = e, true
		}
	}
	return found, ok
}
