//go:build linux

package machine

import (
	"slices"
	"testing"
)

// TestEveryRouteHasARow: a route that nobody thought of is open to everybody.
func TestEveryRouteHasARow(t *testing.T) {
	t.Parallel()
	var rows []string
	for _, row := range controlRows {
		rows = append(rows, row.route)
	}
	routes := routesServed()
	if len(routes) < 20 {
		t.Fatalf("%d routes are served", len(routes))
	}
	for _, r := range routes {
		if !slices.Contains(rows, r) {
			t.Errorf("%s has no row", r)
		}
	}
	for _, r := range rows {
		if !slices.Contains(routes, r) {
			t.Errorf("%s is not served", r)
		}
	}
}
