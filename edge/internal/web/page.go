package web

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
	"github.com/sallyport/sallyport/edge/internal/login"
	"github.com/sallyport/sallyport/wire"
)

//go:embed pages
var files embed.FS

// The pages, by name; each defines "title" and "main" for base.html.
var pages = parsePages("app", "ask", "code", "confirm", "portal", "ready", "setup", "stop")

func parsePages(names ...string) map[string]*template.Template {
	base := template.Must(template.New("base.html").Funcs(template.FuncMap{
		"utc": func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") },
	}).ParseFS(files, "pages/base.html"))
	all := make(map[string]*template.Template, len(names))
	for _, name := range names {
		all[name] = template.Must(template.Must(base.Clone()).ParseFS(files, "pages/"+name+".html"))
	}
	return all
}

// What the pages show. The templates escape it all.
type (
	portalPage struct {
		Edge  string
		Sites []config.Site
	}
	appPage struct{ Hostname, Edge string }
	askPage struct {
		login.View
		Enrol bool
		// Used is true where this browser has begun already.
		Used bool
	}
	confirmPage struct {
		login.View
		Enrol     bool
		Who       string
		Error     string
		Site      string
		Hostnames string
	}
	codePage struct {
		login.View
		Code      string
		CodeUntil time.Time
		Enrol     bool
	}
	setupPage struct{ Token, Email, Name, Error string }
	// readyPage is the good end of the set-up.
	readyPage struct{ Email, Edge string }
	// stopPage says what happened and what to do. Retry is the attempt that may
	// be begun again, "" for none.
	stopPage struct{ Title, What, Next, Retry string }
)

func (s *site) render(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := pages[name].Execute(&b, data); err != nil {
		s.Log.Error("page not made", "page", name, "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func (s *site) stop(w http.ResponseWriter, status int, p stopPage) {
	if p.Retry != "" {
		w.Header().Set("Content-Security-Policy", policyFor(s.providerSources()))
	}
	s.render(w, status, "stop", p)
}

func (s *site) style(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=3600")
	http.ServeFileFS(w, r, files, "pages/style.css")
}

func enrols(v login.View) bool { return v.Purpose == wire.PurposeEnrol }
