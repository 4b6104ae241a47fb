//go:build linux

package table

import (
	"strings"
	"testing"
)

func TestMark(t *testing.T) {
	t.Parallel()
	more, less := row{first: 0.85, goal: 1.2}, row{first: 1.6, goal: 1.15, less: true}
	for _, c := range []struct {
		row   row
		ratio float64
		want  string
	}{
		{more, 1.3, "goal"}, {more, 1.2, "goal"}, {more, 0.9, "first"}, {more, 0.85, "first"}, {more, 0.84, "missed"},
		{less, 1.0, "goal"}, {less, 1.15, "goal"}, {less, 1.5, "first"}, {less, 1.6, "first"}, {less, 1.7, "missed"},
	} {
		if got := c.row.mark(c.ratio); got != c.want {
			t.Errorf("%+v at %v: %s, want %s", c.row, c.ratio, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		want   float64
		ok     bool
	}{{nil, 0, false}, {[]float64{3}, 3, true}, {[]float64{9, 1, 5}, 5, true}, {[]float64{4, 1, 2, 3}, 2.5, true}} {
		if got, ok := Median(c.values); got != c.want || ok != c.ok {
			t.Errorf("median of %v: %v, %v", c.values, got, ok)
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	r := Results{}
	r.Add("up1", "R", Figures{"rate": 0.5, "cpu": 2, "cpu.edge": 1})
	r.Add("up1", "x", Figures{"rate": 0.6, "cpu": 1.9, "cpu.edge": 0.5})
	r.Add("up64", "x", Figures{"fair": 0.2})
	var out strings.Builder
	if missed := PrintRows(&out, r, "x"); missed != 2 {
		t.Errorf("%d rows missed, want 2 (the edge's CPU and the fairness):\n%s", missed, &out)
	}
	for _, want := range []string{"1.20", "0.95", "0.50", "0.20", "goal", "first", "missed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "ping-pong") {
		t.Errorf("a row without measurements was printed:\n%s", &out)
	}
}
