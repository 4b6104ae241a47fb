package cli_test

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client/clienttest"
	"github.com/sallyport/sallyport/ctl/internal/cli/clitest"
	"github.com/sallyport/sallyport/internal/browser"
)

// withBrowser gives the bench a browser that brings code back at once.
func withBrowser(t *testing.T, b *clitest.Bench, code string) *int {
	t.Helper()
	opened := new(int)
	b.System.Browser = func() (bool, string) { return true, "" }
	b.System.Open = func(ctx context.Context, url string, e browser.Edge) error {
		*opened++
		if err := browser.Check(url, e); err != nil {
			return err
		}
		in := b.Daemon.LoginInput(url[strings.LastIndexByte(url, '/')+1:])
		back := "http://127.0.0.1:" + strconv.Itoa(int(in.LoopbackPort)) + in.LoopbackPath + "?code=" + code
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, back, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	return opened
}

func TestLoginByBrowser(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	opened := withBrowser(t, b, clienttest.GoodCode)
	got := b.Run("login")
	if got.Code != 0 || *opened != 1 || got.Out != "Signed in to edge.site.com as alice@site.com; the session ends in 11h58m.\n" {
		t.Errorf("%d browsers, %+v", *opened, got)
	}
	if !strings.Contains(got.Err, "sallyport: sign in at https://edge.site.com/login/lgn_1\n") || !strings.Contains(got.Err, "compare code: KITE-42") {
		t.Errorf("stderr %q", got.Err)
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	withBrowser(t, b, "BAD")
	got := b.Run("login")
	if got.Code != 3 || got.Out != "" || !strings.Contains(got.Err, "error: the sign-in was refused: too many wrong codes") {
		t.Errorf("got %+v", got)
	}
}

// Without a desktop the code is typed, and a wrong one may be typed again.
func TestLoginByCode(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.In = clienttest.WrongCode + "\ngood-code\n"
	got := b.Run("login", "--json")
	if got.Code != 0 || !strings.Contains(got.Out, `"state": "done"`) {
		t.Errorf("got %+v", got)
	}
	for _, want := range []string{"no browser is opened: this is a test", "sign in at https://edge.site.com/login/", "Approval code: ", "the code is wrong"} {
		if !strings.Contains(got.Err, want) {
			t.Errorf("stderr lacks %q: %q", want, got.Err)
		}
	}
}

func TestLoginNobodyTypes(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	if got := b.Run("login", "--no-browser"); got.Code != 3 || !strings.Contains(got.Err, "no approval code was given") {
		t.Errorf("got %+v", got)
	}
}

// Where nothing can be typed and no browser is opened, the page is waited for.
func TestLoginWithoutInput(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.System.Silent = true
	l := b.Start(strings.NewReader(""), "tunnel", "login")
	l.Err.Await(t, "compare code: KITE-42")
	if !strings.Contains(l.Err.String(), "nothing can be typed here: open the page in a browser on this machine") {
		t.Errorf("stderr %q", l.Err)
	}
	in := b.Daemon.LoginInput("lgn_1")
	if in.Mode != api.ModeLoopback {
		t.Fatalf("input %+v", in)
	}
	resp, err := http.Get("http://127.0.0.1:" + strconv.Itoa(int(in.LoopbackPort)) + in.LoopbackPath + "?code=" + clienttest.GoodCode)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := l.Wait(); got.Code != 0 || !strings.HasPrefix(got.Out, "This machine is a host at") {
		t.Errorf("got %+v", got)
	}
}

func TestLoginInterrupted(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	in, w := io.Pipe()
	defer w.Close()
	l := b.Start(in, "login", "--no-browser")
	l.Err.Await(t, "Approval code: ")
	l.Interrupt()
	if got := l.Wait(); got.Code != 130 {
		t.Errorf("got %+v", got)
	}
	b.Daemon.Wait(t, "a cancelled attempt", func(s *api.Status) bool { return s.Logins[0].State == api.LoginCancelled })
}

// An edge that is named and not known yet is used from then on.
func TestLoginAtNewEdge(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	withBrowser(t, b, clienttest.GoodCode)
	b.Env["SALLYPORT_EDGE"] = "e2.site.com:443"
	if got := b.Run("login"); got.Code != 0 || !strings.HasPrefix(got.Out, "Signed in to e2.site.com as") {
		t.Errorf("by environment: %+v", got)
	}
	if got := b.Run("login", "e3.site.com:8443"); got.Code != 0 || !strings.HasPrefix(got.Out, "Signed in to e3.site.com:8443 as") {
		t.Errorf("by word: %+v", got)
	}
	if n := len(b.Daemon.Status().Edges); n != 3 {
		t.Errorf("%d edges", n)
	}
}

func TestTunnelLogin(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	withBrowser(t, b, clienttest.GoodCode)
	got := b.Run("tunnel", "login")
	if got.Code != 0 || !strings.HasPrefix(got.Out, "This machine is a host at edge.site.com: connector con_") {
		t.Errorf("got %+v", got)
	}
	if in := b.Daemon.LoginInput("lgn_1"); in.Purpose != api.PurposeEnrol || !in.Hold {
		t.Errorf("input %+v", in)
	}
}

func TestLoginDaemonDown(t *testing.T) {
	t.Parallel()
	b := clitest.New(t)
	b.Daemon.Socket += ".gone"
	got := b.Run("login")
	if got.Code != 4 || !strings.Contains(got.Err, "hint: start the service, or run `sallyportd run`") {
		t.Errorf("got %+v", got)
	}
}
