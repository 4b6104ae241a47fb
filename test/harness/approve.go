package harness

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/test/walker"
)

// Approve is a Browser that signs in as p and says yes, by walking the pages
// with an HTTP client.
func (e *Edge) Approve(p Person) Browser {
	return func(ctx context.Context, url string) (string, error) {
		transport := &http.Transport{DisableKeepAlives: true}
		client := walker.NewClient(transport)
		client.Timeout = 30 * time.Second
		r, err := walker.Login(ctx, client, url, p.Email, p.Password)
		if err != nil {
			return "", err
		}
		if r.Redirect == "" {
			return r.ApprovalCode, nil
		}
		return "", visit(ctx, client, r.Redirect)
	}
}

// visit goes where the browser was sent: to the program that asked.
func visit(ctx context.Context, client *http.Client, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("the program that asked: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("the program that asked says %s: %s", res.Status, body)
	}
	return err
}

// Refuse is a Browser that signs in as p and says no.
func (e *Edge) Refuse(p Person) Browser {
	return func(ctx context.Context, url string) (string, error) {
		client := walker.NewClient(&http.Transport{DisableKeepAlives: true})
		client.Timeout = 30 * time.Second
		return "", walker.Refuse(ctx, client, url, p.Email, p.Password)
	}
}
