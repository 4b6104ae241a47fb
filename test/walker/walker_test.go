package walker

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// pages is a small site of forms: path -> HTML, or what to do with a POST.
type pages struct {
	get  map[string]string
	post map[string]func(w http.ResponseWriter, r *http.Request)
}

func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		if r.Header.Get("Sec-Fetch-Site") != "same-origin" {
			http.Error(w, "cross-site", http.StatusForbidden)
			return
		}
		r.ParseForm()
		p.post[r.URL.Path](w, r)
		return
	}
	page, ok := p.get[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
	}
	fmt.Fprint(w, "<title>t</title>", page)
}

const (
	askForm     = `<form method="post" action="/ask"><button name="action" value="continue">go</button></form>`
	loginForm   = `<form method=post action=/login><input type=hidden name=id value=7><input name=email type=email><input name=password type=password><button>in</button></form>`
	confirmForm = `<form method="post" action="/confirm"><select name="site"><option value="a.org"><option value="b.org" selected></select>
<textarea name="hostnames">x.b.org</textarea><input type=radio name=r value=1><input type=radio name=r value=2 checked><input type=checkbox name=c value=1>
<button name="decision" value="refuse">no</button><button name="decision" value="approve">yes</button></form>
<form method="post" action="/ask"><button value="other">somebody else</button></form>`
)

// loginSite is such a login: good is the password that is right, end what follows
// the yes.
func loginSite(t *testing.T, good, end string) *httptest.Server {
	t.Helper()
	redirect := func(to string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusSeeOther) }
	}
	s := httptest.NewServer(pages{
		get: map[string]string{
			"/": askForm, "/login": loginForm, "/confirm": confirmForm, "/code": `<p class="code" id="code"> ABCD-<b>EFGH</b> </p>`,
			"/over": `<p role="alert">It is  over.</p>`, "/plain": "nothing", "/again": loginForm,
		},
		post: map[string]func(http.ResponseWriter, *http.Request){
			"/ask": redirect("/login"),
			"/login": func(w http.ResponseWriter, r *http.Request) {
				if r.PostForm.Get("id") != "7" || r.PostForm.Get("email") != "a@b.c" || r.PostForm.Get("password") != good {
					w.WriteHeader(http.StatusUnauthorized)
					fmt.Fprint(w, `<p role="alert">Wrong.</p>`, loginForm)
					return
				}
				http.Redirect(w, r, "/confirm", http.StatusSeeOther)
			},
			"/confirm": func(w http.ResponseWriter, r *http.Request) {
				want := url.Values{"site": {"b.org"}, "hostnames": {"x.b.org"}, "r": {"2"}, "decision": {"approve"}}
				if r.PostForm.Encode() != want.Encode() {
					http.Error(w, "fields "+r.PostForm.Encode(), http.StatusBadRequest)
					return
				}
				http.Redirect(w, r, end, http.StatusSeeOther)
			},
		},
	})
	t.Cleanup(s.Close)
	return s
}

func TestLogin(t *testing.T) {
	t.Parallel()
	listener := "http://127.0.0.1:1/0123456789abcdef?code=xyz"
	for name, tt := range map[string]struct {
		good, end string
		want      Result
		err       string
	}{
		"loopback":       {"pw", listener, Result{Redirect: listener}, ""},
		"code":           {"pw", "/code", Result{ApprovalCode: "ABCD-EFGH"}, ""},
		"wrong password": {"other", "/code", Result{}, "says: Wrong."},
		"refused":        {"pw", "/over", Result{}, "says: It is over."},
		"nothing":        {"pw", "/plain", Result{}, "neither form nor code"},
		"in circles":     {"pw", "/again", Result{}, "asked for again"},
		"not found":      {"pw", "/missing", Result{}, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := loginSite(t, tt.good, tt.end)
			got, err := Login(t.Context(), NewClient(nil), s.URL+"/", "a@b.c", "pw")
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("%+v %v", got, err)
			}
		})
	}
}

func TestSetup(t *testing.T) {
	t.Parallel()
	form := `<form method="post" action="/setup"><input type=hidden name=token value=t1><input name=email><input name=name>
<input type=password name=password><input type=password name=again><button>make</button></form>`
	s := httptest.NewServer(pages{
		get: map[string]string{"/setup": form, "/used": `<p role="alert">Used.</p>`},
		post: map[string]func(http.ResponseWriter, *http.Request){"/setup": func(w http.ResponseWriter, r *http.Request) {
			want := url.Values{"token": {"t1"}, "email": {"a@b.c"}, "name": {"A"}, "password": {"pw"}, "again": {"pw"}}
			if r.PostForm.Encode() != want.Encode() {
				fmt.Fprint(w, `<p role="alert">Fields.</p>`)
			}
		}},
	})
	t.Cleanup(s.Close)
	if err := Setup(t.Context(), NewClient(nil), s.URL+"/setup", "a@b.c", "A", "pw"); err != nil {
		t.Fatal(err)
	}
	for path, password := range map[string]string{"/used": "pw", "/setup": "other", "/missing": "pw"} {
		if password == "other" {
			if err := Setup(t.Context(), NewClient(nil), s.URL+path, "wrong@b.c", "A", "pw"); err == nil {
				t.Errorf("%s: the alert was not seen", path)
			}
			continue
		}
		if err := Setup(t.Context(), NewClient(nil), s.URL+path, "a@b.c", "A", password); err == nil {
			t.Errorf("%s: no error", path)
		}
	}
}
