package signin

import (
	"fmt"
	"html"
	"net/http"
)

// page answers with a small page that neither loads nor sends anything.
func page(w http.ResponseWriter, status int, title, text string) {
	sheet(w, status, title, "<p>"+html.EscapeString(text)+"</p>")
}

// sheet answers with a page that loads nothing, and sends its form, if it has
// one, here only. body is HTML.
func sheet(w http.ResponseWriter, status int, title, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	title = html.EscapeString(title)
	fmt.Fprintf(w, layout, title, title, body)
}

// layout looks like the pages of the edge, from which the person comes.
const layout = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%s - Sallyport</title>
<style>
body{margin:0;padding:1.5rem 1rem;background:#f4f5f7;color:#1b1f24;font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{box-sizing:border-box;max-width:36rem;margin:4vh auto;padding:1.75rem;background:#fff;border:1px solid #d0d7de;border-radius:.75rem;overflow-wrap:anywhere}
h1{margin:0 0 .75rem;font-size:1.45rem;line-height:1.25}
.brand{margin:0 0 1.25rem;color:#57606a;font-weight:600;letter-spacing:.02em}
input{box-sizing:border-box;width:100%%;padding:.6rem;font:1.2rem ui-monospace,monospace;letter-spacing:.1em}
button{margin-top:.75rem;padding:.6rem 1.2rem;font:inherit}
code{font:1.05rem ui-monospace,monospace}
.bad{color:#b42318;font-weight:600}
svg{width:1.1em;height:1.1em;margin-right:.45em;vertical-align:-.15em;fill:none;stroke:currentColor;stroke-width:2}
@media (prefers-color-scheme:dark){body{background:#0f1318;color:#e6e9ed}main{background:#181d24;border-color:#353c45}.brand{color:#9aa4af}}
</style>
<main>
<p class="brand"><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M2 15V7a6 6 0 0 1 12 0v8M6 15v-5a2 2 0 0 1 4 0v5"/></svg>Sallyport</p>
<h1>%s</h1>
%s
</main>
</html>
`
