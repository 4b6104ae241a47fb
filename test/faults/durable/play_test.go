//go:build linux

package durable

import "testing"

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		is   map[string]string
		lost int
	}{
		{"as acknowledged", map[string]string{"a": "1", "b": "2", "c": "3"}, 0},
		{"a removal that was not answered was done", map[string]string{"a": "1", "b": "2"}, 0},
		{"an addition that was not answered was done", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}, 0},
		{"gone", map[string]string{"a": "1", "c": "3"}, 1},
		{"changed", map[string]string{"a": "1", "b": "x", "c": "3"}, 1},
		{"changed where its removal is in doubt", map[string]string{"a": "1", "b": "2", "c": "x"}, 1},
		{"two more", map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}, 1},
	} {
		var r Row
		l := ledger{have: map[string]string{"a": "1", "b": "2", "c": "3"}, doubted: map[string]bool{"c": true}, open: 1}
		if lost := l.compare(test.is, &r); lost != test.lost || (r.Faults != nil) != (lost > 0) {
			t.Errorf("%s: %d lost, %v; want %d", test.name, lost, r.Faults, test.lost)
		}
	}
}
