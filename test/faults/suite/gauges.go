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

// gauge reads one number of the edge's metrics; 0 where it is not there yet.
func (w *World) gauge(ctx context.Context, name string) (float64, error) {
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
	for s := bufio.NewScanner(resp.Body); s.Scan(); {
		if value, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("metrics of the edge: %s", resp.Status)
	}
	return 0, nil
}

// Moved counts the streams that went to a lane or came back from one since the
// edge began.
func (w *World) Moved(ctx context.Context) (int, error) {
	n, err := w.gauge(ctx, `sallyport_resumes_total{outcome="moved"}`)
	return int(n), err
}

// Goroutines are those of the edge.
func (w *World) Goroutines(ctx context.Context) (int, error) {
	n, err := w.gauge(ctx, "go_goroutines")
	return int(n), err
}
