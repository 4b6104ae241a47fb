package signin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// url is where a browser brings a code to.
func (l *Listener) url(path string) string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(int(l.port))) + path
}

func start(t *testing.T, redeem func(context.Context, string) error) *Listener {
	t.Helper()
	l, err := Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Serve(ctx, "You are signed in", redeem) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l
}

func ask(t *testing.T, method, url string, change func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func TestListenerRefuses(t *testing.T) {
	t.Parallel()
	redeemed := make(chan string, 8)
	l := start(t, func(_ context.Context, code string) error { redeemed <- code; return nil })
	right := l.path + "?code=one"
	header := func(k, v string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(k, v) }
	}
	tests := []struct {
		name, method, path string
		change             func(*http.Request)
		want               int
	}{
		{"root", "GET", "/?code=one", nil, 404},
		{"path with more", "GET", l.path + "/x?code=one", nil, 404},
		{"other case", "GET", strings.ToLower(l.path) + "?code=one", nil, 404},
		{"POST", "POST", right, nil, 405},
		{"HEAD", "HEAD", right, nil, 405},
		{"OPTIONS", "OPTIONS", right, nil, 405},
		{"rebound name", "GET", right, func(r *http.Request) { r.Host = "evil.com:" + strconv.Itoa(int(l.port)) }, 421},
		{"localhost", "GET", right, func(r *http.Request) { r.Host = "localhost:" + strconv.Itoa(int(l.port)) }, 421},
		{"fetched by a page", "GET", right, header("Sec-Fetch-Mode", "no-cors"), 403},
		{"an image", "GET", right, header("Sec-Fetch-Dest", "image"), 403},
		{"a frame", "GET", right, header("Sec-Fetch-Dest", "iframe"), 403},
		{"fetched ahead", "GET", right, header("Sec-Purpose", "prefetch"), 403},
		{"no code", "GET", l.path, nil, 400},
		{"long code", "GET", l.path + "?code=" + strings.Repeat("x", 600), nil, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := ask(t, tt.method, l.url(tt.path), tt.change); got != tt.want {
				t.Errorf("got status %d, want %d", got, tt.want)
			}
		})
	}
	select {
	case code := <-redeemed:
		t.Fatalf("code %q was taken", code)
	default:
	}

	// None of them took the place of the right one.
	status, body := ask(t, "GET", l.url(right), func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
	})
	if status != 200 || !strings.Contains(body, "You can close this window") {
		t.Errorf("got %d %s", status, body)
	}
	if code := <-redeemed; code != "one" {
		t.Errorf("got code %q", code)
	}
	if status, _ := ask(t, "GET", l.url(l.path+"?code=two"), nil); status != 410 {
		t.Errorf("second code: status %d, want 410", status)
	}
}

func TestListenerShowsRefusal(t *testing.T) {
	t.Parallel()
	l := start(t, func(context.Context, string) error { return errors.New("<b>no</b>") })
	status, body := ask(t, "GET", l.url(l.path+"?code=x"), nil)
	if status != 200 || !strings.Contains(body, "did not succeed") || !strings.Contains(body, "&lt;b&gt;no&lt;/b&gt;") {
		t.Errorf("got %d %s", status, body)
	}
}

// The page is delivered although the attempt is over the moment the code is
// taken.
func TestListenerDeliversPageAtEnd(t *testing.T) {
	t.Parallel()
	l, err := Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- l.Serve(ctx, "You are signed in", func(context.Context, string) error { cancel(); return nil })
	}()
	if status, body := ask(t, "GET", l.url(l.path+"?code=x"), nil); status != 200 || !strings.Contains(body, "signed in") {
		t.Errorf("got %d %s", status, body)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestListenersDiffer(t *testing.T) {
	t.Parallel()
	a, err := Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if a.path == b.path || len(a.path) < 20 {
		t.Errorf("paths %q and %q", a.path, b.path)
	}
}
