//go:build linux

package suite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// gauge sums the numbers of the edge's metrics whose name and labels begin so; 0
// where there is none yet.
func (w *World) gauge(ctx context.Context, begins string) (sum float64, err error) {
	if w.edge.Metrics == "" {
		return 0, errors.New("the edge serves no metrics")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.edge.Metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("metrics of the edge: %s", resp.Status)
	}
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) != 2 || !strings.HasPrefix(f[0], begins) {
			continue
		}
		n, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// Decisions is how often the edge's policy was asked for tickets and streams.
func (w *World) Decisions(ctx context.Context) (float64, error) {
	return w.gauge(ctx, "sallyport_decisions_total{")
}

// Goroutines are those of the edge.
func (w *World) Goroutines(ctx context.Context) (int, error) {
	n, err := w.gauge(ctx, "go_goroutines")
	return int(n), err
}
