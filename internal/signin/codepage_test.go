package signin

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
)

func startPage(t *testing.T) *CodePage {
	t.Helper()
	p, err := NewCodePage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return p
}

// A person reads the address, types a wrong code, is told, and types the right.
func TestCodePage(t *testing.T) {
	t.Parallel()
	p := startPage(t)
	if _, body := ask(t, http.MethodGet, p.URL(), nil); !strings.Contains(body, "being prepared") {
		t.Errorf("before the login: %s", body)
	}
	p.Show(api.Login{URL: "https://edge.site.com/login/x?a=1&b=<2>", CompareCode: "KITE-42"})
	_, body := ask(t, http.MethodGet, p.URL(), nil)
	if !strings.Contains(body, "https://edge.site.com/login/x?a=1&amp;b=&lt;2&gt;") || !strings.Contains(body, "KITE-42") || !strings.Contains(body, "<form") {
		t.Errorf("page: %s", body)
	}
	judge := func(want string, act func()) {
		go func() {
			if code, err := p.Code(t.Context()); err != nil || code != want {
				t.Errorf("typed %q, %v; want %q", code, err, want)
			}
			act()
		}()
	}
	judge("WRONG", func() { p.Note(&api.Problem{Title: "the code is wrong"}) })
	if body := post(t, p, "WRONG"); !strings.Contains(body, "the code is wrong") || !strings.Contains(body, "<form") {
		t.Errorf("after a wrong code: %s", body)
	}
	judge("RIGHT", func() { p.Over("You are signed in") })
	if body := post(t, p, "RIGHT"); !strings.Contains(body, "You are signed in") || strings.Contains(body, "<form") {
		t.Errorf("at the end: %s", body)
	}
	if body := post(t, p, "MORE"); !strings.Contains(body, "You are signed in") {
		t.Errorf("after the end: %s", body)
	}
}

func post(t *testing.T, p *CodePage, code string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.URL(), strings.NewReader(url.Values{"code": {code}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestCodePageRefuses(t *testing.T) {
	t.Parallel()
	p := startPage(t)
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for _, tt := range []struct {
		name, method, url string
		change            func(*http.Request)
		want              int
	}{
		{"other path", "GET", p.origin() + "/", nil, 404},
		{"rebound name", "GET", p.URL(), func(r *http.Request) { r.Host = "evil.com" }, 421},
		{"PUT", "PUT", p.URL(), nil, 405},
		{"in a frame", "GET", p.URL(), header("Sec-Fetch-Dest", "iframe"), 403},
		{"form of another page", "POST", p.URL(), header("Origin", "https://evil.com"), 403},
		{"empty form", "POST", p.URL(), header("Origin", p.origin()), 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := ask(t, tt.method, tt.url, tt.change); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}
