package signin

import (
	"context"
	"crypto/subtle"
	"html"
	"net"
	"net/http"
	"strconv"
	"sync"

	"github.com/sallyport/sallyport/api"
)

// CodePage is where a person types an approval code who has no terminal: a page
// in the browser of this machine, for a login whose browser is elsewhere (mode
// code). Whoever does not know the random path gets nothing.
type CodePage struct {
	ln    *Listener
	typed chan string

	mu      sync.Mutex
	login   api.Login
	note    string        // what was wrong with the last code
	over    string        // how the login ended; "" before
	changed chan struct{} // closed and replaced when a code was judged
}

// NewCodePage binds a free port of 127.0.0.1.
func NewCodePage(ctx context.Context) (*CodePage, error) {
	ln, err := Listen(ctx)
	if err != nil {
		return nil, err
	}
	return &CodePage{ln: ln, typed: make(chan string), changed: make(chan struct{})}, nil
}

// URL is the page's address.
func (p *CodePage) URL() string { return p.origin() + p.ln.path }

func (p *CodePage) origin() string { return "http://" + p.host() }

func (p *CodePage) host() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(int(p.ln.port))) }

// Serve answers until ctx ends; the page that is being answered at that moment
// is still delivered.
func (p *CodePage) Serve(ctx context.Context) error {
	return p.ln.serveHandler(ctx, http.HandlerFunc(p.serve))
}

// Show says which login it is for.
func (p *CodePage) Show(l api.Login) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.login = l
}

// Code waits for a code to be typed.
func (p *CodePage) Code(ctx context.Context) (string, error) {
	select {
	case code := <-p.typed:
		return code, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Note says what was wrong with the last code.
func (p *CodePage) Note(problem *api.Problem) { p.judged(problem.Error(), "") }

// Over says how the login ended.
func (p *CodePage) Over(text string) { p.judged("", text) }

func (p *CodePage) judged(note, over string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note, p.over = note, over
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *CodePage) serve(w http.ResponseWriter, r *http.Request) {
	if status := p.check(r); status != http.StatusOK {
		page(w, status, http.StatusText(status), "")
		return
	}
	if r.Method == http.MethodPost && !p.take(w, r) {
		return
	}
	p.mu.Lock()
	l, note, over := p.login, p.note, p.over
	p.mu.Unlock()
	if over != "" {
		page(w, http.StatusOK, over, "You can close this window.")
		return
	}
	sheet(w, http.StatusOK, "Sign in on another machine", form(l, note, p.ln.path))
}

// take hands a code on and waits until it is judged.
func (p *CodePage) take(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, 2*maxCodeBytes)
	code := r.PostFormValue("code")
	if code == "" || len(code) > maxCodeBytes {
		return true // the form once more
	}
	p.mu.Lock()
	changed, over := p.changed, p.over != ""
	p.mu.Unlock()
	if over {
		return true
	}
	select {
	case p.typed <- code:
	case <-r.Context().Done():
		return false
	}
	select {
	case <-changed:
	case <-r.Context().Done():
	}
	return true
}

// check lets the person's own browser pass, which navigates here or sends the
// form of this page.
func (p *CodePage) check(r *http.Request) int {
	switch {
	case r.Host != p.host():
		return http.StatusMisdirectedRequest // a name that was rebound to this address
	case subtle.ConstantTimeCompare([]byte(r.URL.Path), []byte(p.ln.path)) != 1:
		return http.StatusNotFound
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed
	case notNavigation(r.Header):
		return http.StatusForbidden
	case r.Method == http.MethodPost && foreign(r.Header.Get("Origin"), p.origin()):
		return http.StatusForbidden
	}
	return http.StatusOK
}

// foreign: the page sends no referrer, for which browsers may say "null".
func foreign(origin, own string) bool { return origin != "" && origin != "null" && origin != own }

func form(l api.Login, note, path string) string {
	text := "<p>The sign-in is being prepared. Load this page again in a moment.</p>"
	if l.URL != "" {
		text = "<p>Open this address in a browser on any machine:</p><p><code>" + html.EscapeString(l.URL) + "</code></p>" +
			"<p>That page must show the code <strong>" + html.EscapeString(l.CompareCode) + "</strong>. Sign in there; at the end it shows an approval code to type here.</p>"
	}
	if note != "" {
		text += `<p class="bad" role="alert">` + html.EscapeString(note) + "</p>"
	}
	return text + `<form method="post" action="` + html.EscapeString(path) + `"><label>Approval code<br>` +
		`<input name="code" autocomplete="off" autofocus required maxlength="32"></label><button>Sign in</button></form>`
}
