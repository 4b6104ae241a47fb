//go:build linux

package gauge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Metric sums the numbers of the edge's metrics at an address whose name and labels begin so; 0
// where there is none yet.
func Metric(ctx context.Context, address, begins string) (sum float64, err error) {
	if address == "" {
		return 0, errors.New("the edge serves no metrics")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
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
