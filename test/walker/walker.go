// Package walker signs in as a person would: it loads the edge's pages, fills in
// their forms and follows them, with an HTTP client in place of a browser. Tests
// and the demo use it; the pages need no JavaScript.
//
// Shapes: Login walks from the URL that a login printed to where the browser
// would be sent, or to the approval code; Setup makes the first administrator.
// Both know no page: they read whatever form comes, and press its first button
// that is not a refusal.
package walker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

const (
	// maxSteps bounds a walk; a login has about eight pages and redirects.
	maxSteps = 30
	maxPage  = 1 << 20
)

// Result is where a login led; one of the two is set.
type Result struct {
	// Redirect is the loopback URL that the browser was sent to. It has not
	// been asked for.
	Redirect string
	// ApprovalCode is what the page shows for typing.
	ApprovalCode string
}

// NewClient returns a client with an empty cookie jar on the given transport;
// nil means http.DefaultTransport.
func NewClient(transport http.RoundTripper) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it never fails without a suffix list
	}
	return &http.Client{Transport: transport, Jar: jar}
}

// Login signs in with email and password and says yes. client needs a cookie
// jar, and is one browser.
func Login(ctx context.Context, client *http.Client, startURL, email, password string) (Result, error) {
	w := walk{client: client, values: map[string]string{"email": email, "username": email, "password": password}}
	if err := w.open(ctx, startURL); err != nil {
		return Result{}, err
	}
	tried := false
	for range maxSteps {
		switch {
		case w.away != "":
			return Result{Redirect: w.away}, nil
		case w.page.code != "":
			return Result{ApprovalCode: w.page.code}, nil
		case w.page.alert != "":
			return Result{}, fmt.Errorf("%s says: %s", w.at.Path, w.page.alert)
		}
		form := w.page.form()
		if form == nil {
			return Result{}, fmt.Errorf("%s (%q) has neither form nor code", w.at.Path, w.page.title)
		}
		if form.hasPassword() && tried {
			return Result{}, errors.New("the password was asked for again")
		}
		tried = tried || form.hasPassword()
		if err := w.submit(ctx, form); err != nil {
			return Result{}, err
		}
	}
	return Result{}, fmt.Errorf("no end after %d pages", maxSteps)
}

// Setup makes the first administrator by the set-up link.
func Setup(ctx context.Context, client *http.Client, link, email, name, password string) error {
	w := walk{client: client, values: map[string]string{"email": email, "name": name, "password": password, "again": password}}
	if err := w.open(ctx, link); err != nil {
		return err
	}
	form := w.page.form()
	if form == nil || !form.hasPassword() {
		return fmt.Errorf("the set-up page (%q) has no form: %s", w.page.title, w.page.alert)
	}
	if err := w.submit(ctx, form); err != nil {
		return err
	}
	if w.page.alert != "" {
		return fmt.Errorf("the set-up page says: %s", w.page.alert)
	}
	return nil
}

// walk is a browser on one page.
type walk struct {
	client *http.Client
	values map[string]string // by input name
	at     *url.URL
	page   page
	// away is the URL outside the pages that the last answer led to.
	away string
}

func (w *walk) open(ctx context.Context, raw string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, raw, nil)
	if err != nil {
		return fmt.Errorf("open the page: %w", err)
	}
	return w.do(r)
}

func (w *walk) submit(ctx context.Context, f *form) error {
	to, err := w.at.Parse(f.action)
	if err != nil {
		return fmt.Errorf("form of %s: %w", w.at.Path, err)
	}
	fields := f.fill(w.values)
	method, body := strings.ToUpper(f.method), io.Reader(nil)
	if method == http.MethodPost {
		body = strings.NewReader(fields.Encode())
	} else {
		method, to.RawQuery = http.MethodGet, fields.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, to.String(), body)
	if err != nil {
		return fmt.Errorf("send the form: %w", err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	// As a browser does, so that the edge's check of the origin is exercised.
	r.Header.Set("Sec-Fetch-Site", site(w.at, to))
	return w.do(r)
}

func site(from, to *url.URL) string {
	if from.Scheme == to.Scheme && from.Host == to.Host {
		return "same-origin"
	}
	return "cross-site"
}

// do asks, follows redirects between pages and reads the page that comes.
func (w *walk) do(r *http.Request) error {
	client := *w.client
	away := ""
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if isListener(next.URL) {
			away = next.URL.String() // not ours to call
			return http.ErrUseLastResponse
		}
		if len(via) > maxSteps {
			return errors.New("too many redirects")
		}
		return nil
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("walk the pages: %w", err)
	}
	defer resp.Body.Close()
	w.at, w.away = resp.Request.URL, away
	if away != "" {
		return nil
	}
	w.page, err = readPage(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return fmt.Errorf("read %s: %w", w.at.Path, err)
	}
	if resp.StatusCode >= 400 && w.page.alert == "" {
		w.page.alert = resp.Status + " " + w.page.title
	}
	return nil
}

// isListener says whether a URL is that of who asked for the login: the loopback
// by number, with a code and nothing else.
func isListener(u *url.URL) bool {
	q := u.Query()
	return u.Hostname() == "127.0.0.1" && len(q) == 1 && q.Has("code")
}

// page is what a walk needs to see of a page.
type page struct {
	title, alert, code string
	forms              []*form
}

// form gives the first form that has a button to go on.
func (p page) form() *form {
	for _, f := range p.forms {
		if f.button() != nil {
			return f
		}
	}
	return nil
}

func readPage(r io.Reader) (page, error) {
	root, err := html.Parse(r)
	if err != nil {
		return page{}, err
	}
	var p page
	var visit func(n *html.Node, in *form)
	visit = func(n *html.Node, in *form) {
		if n.Type == html.ElementNode {
			switch {
			case n.Data == "title":
				p.title = text(n)
			case n.Data == "form":
				in = &form{action: attr(n, "action"), method: attr(n, "method")}
				p.forms = append(p.forms, in)
			case in != nil:
				in.add(n)
			}
			if attr(n, "role") == "alert" && p.alert == "" {
				p.alert = text(n)
			}
			if attr(n, "id") == "code" && n.Data != "input" {
				p.code = text(n)
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			visit(c, in)
		}
	}
	visit(root, nil)
	return p, nil
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
