package harness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/sallyport/sallyport/test/walker"
)

// Approve is a Browser that signs in as p and says yes, by walking the pages
// with an HTTP client.
func (e *Edge) Approve(p Person) Browser {
	return func(ctx context.Context, url string) (string, error) {
		client, err := e.person()
		if err != nil {
			return "", err
		}
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

// person is a browser of somebody's, with cookies of its own.
func (e *Edge) person() (*http.Client, error) {
	transport, err := e.transport()
	if err != nil {
		return nil, err
	}
	client := walker.NewClient(transport)
	client.Timeout = 30 * time.Second
	return client, nil
}

// SetUp opens the set-up link that serve printed and makes the first
// administrator.
func (e *Edge) SetUp(ctx context.Context, email string) (Person, error) {
	p := Person{Email: email, Password: rand.Text()}
	log, err := e.process.Log()
	if err != nil {
		return p, err
	}
	link := setupLink.FindString(log)
	if link == "" {
		return p, errors.New("serve printed no set-up link")
	}
	client, err := e.person()
	if err != nil {
		return p, err
	}
	return p, walker.Setup(ctx, client, link, email, "The First", p.Password)
}

var setupLink = regexp.MustCompile(`https?://\S+/setup\S*`)

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

// Open is a Browser in which somebody opens the page, goes one page on, and then
// goes away.
func (e *Edge) Open(ctx context.Context, url string) (string, error) {
	client, err := e.person()
	if err != nil {
		return "", err
	}
	return "", walker.Begin(ctx, client, url)
}

// Refuse is a Browser that signs in as p and says no.
func (e *Edge) Refuse(p Person) Browser {
	return func(ctx context.Context, url string) (string, error) {
		client, err := e.person()
		if err != nil {
			return "", err
		}
		return "", walker.Refuse(ctx, client, url, p.Email, p.Password)
	}
}
