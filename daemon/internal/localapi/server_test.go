package localapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
)

func TestForeignRequestsAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	for _, header := range [][2]string{
		{"Origin", "http://localhost"}, {"Origin", "null"}, {"Referer", "http://x/"}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Mode", "cors"},
		{"Host", "localhost"}, {"Host", "sallyport:80"}, {"Host", "127.0.0.1"}, {"Host", "sallyport.evil.example"},
	} {
		status, h, body := r.raw("GET", "/v1/status", "", header[0], header[1])
		if status != http.StatusForbidden || h.Get("Content-Type") != typeProblem || strings.Contains(body, "headline") {
			t.Errorf("%v: %d %s", header, status, body)
		}
	}
	// Headers by which proxies speak of others say nothing to us.
	if status, _, _ := r.raw("GET", "/v1/status", "", "X-Forwarded-For", "1.2.3.4", "Forwarded", "for=1.2.3.4"); status != http.StatusOK {
		t.Errorf("forwarding headers: %d", status)
	}
}

func TestProblems(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.use()
	large := `{"hostname":"` + strings.Repeat("a", api.MaxBodyBytes) + `"}`
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		code                     api.Code
		field                    string
	}{
		{"no path", "GET", "/v1/none", "", nil, 404, api.CodeNotFound, ""},
		{"no prefix", "GET", "/status", "", nil, 404, api.CodeNotFound, ""},
		{"root", "GET", "/", "", nil, 404, api.CodeNotFound, ""},
		{"a path to be cleaned", "GET", "/v1//status", "", nil, 404, api.CodeNotFound, ""},
		{"a path upwards", "GET", "/v1/x/../status", "", nil, 404, api.CodeNotFound, ""},
		{"a slash at the end", "GET", "/v1/status/", "", nil, 404, api.CodeNotFound, ""},
		{"no such method", "PUT", "/v1/status", "", nil, 405, api.CodeInvalid, ""},
		{"no such method of an item", "PUT", "/v1/forwards/x", "", nil, 405, api.CodeInvalid, ""},
		{"no body", "POST", "/v1/forwards", "", []string{"Content-Type", "application/json"}, 400, api.CodeInvalid, ""},
		{"broken body", "POST", "/v1/forwards", `{"hostname":`, nil, 400, api.CodeInvalid, ""},
		{"a list", "POST", "/v1/forwards", `[]`, nil, 422, api.CodeInvalid, ""},
		{"null", "POST", "/v1/forwards", `null`, nil, 400, api.CodeInvalid, ""},
		{"two values", "POST", "/v1/forwards", `{} {}`, nil, 400, api.CodeInvalid, ""},
		{"unknown field", "POST", "/v1/forwards", `{"hostnme":"secret"}`, nil, 422, api.CodeInvalid, "hostnme"},
		{"another kind", "POST", "/v1/forwards", `{"hostname":7}`, nil, 422, api.CodeInvalid, "hostname"},
		{"no JSON", "POST", "/v1/forwards", `hostname=x`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, api.CodeInvalid, ""},
		{"too large", "POST", "/v1/forwards", large, nil, 413, api.CodeInvalid, ""},
		{"null in a patch", "PATCH", "/v1/forwards/x", `{"hostname":null}`, []string{"Content-Type", "application/merge-patch+json"}, 422, api.CodeInvalid, "hostname"},
		{"invalid value", "POST", "/v1/forwards", `{"hostname":"..","listen":"localhost:9"}`, nil, 422, api.CodeInvalid, "hostname"},
		{"not there", "GET", "/v1/forwards/fwd_x", "", nil, 404, api.CodeNotFound, ""},
		{"odd id", "GET", "/v1/forwards/%2e%2e%2f", "", nil, 404, api.CodeNotFound, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, h, body := r.raw(tt.method, tt.path, tt.body, tt.header...)
			var p api.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil || h.Get("Content-Type") != typeProblem {
				t.Fatalf("%d %s %q", status, h.Get("Content-Type"), body)
			}
			if status != tt.status || p.Status != tt.status || p.Code != tt.code || p.Field != tt.field || p.Title == "" {
				t.Errorf("%d %+v, want %d %s %q", status, p, tt.status, tt.code, tt.field)
			}
			if strings.Contains(body, "secret") {
				t.Errorf("what was sent comes back: %s", body)
			}
			if status == http.StatusMethodNotAllowed && h.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
		})
	}
	if status, _, _ := r.raw("HEAD", "/v1/events", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("HEAD: %d", status)
	}
}

func TestCreatedSaysWhere(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.use()
	status, h, body := r.raw("POST", "/v1/forwards", `{"hostname":"a.site.com","listen":"localhost:`+freePort(t)+`"}`)
	if status != http.StatusCreated {
		t.Fatalf("%d %s", status, body)
	}
	if status, _, again := r.raw("GET", h.Get("Location"), ""); status != http.StatusOK || !strings.Contains(again, "a.site.com") {
		t.Errorf("%q: %d %s", h.Get("Location"), status, again)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) { c.Heartbeat = 20 * time.Millisecond })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last uint64
	var heartbeats int
	port := freePort(t)
	for ev, err := range r.Watch(ctx) {
		must(t, err)
		if ev.Seq <= last {
			t.Errorf("event %d after %d", ev.Seq, last)
		}
		switch first := last == 0; {
		case first && ev.Status == nil:
			t.Fatal("the first event is no status")
		case first:
			last = ev.Seq
			r.use()
			_, err := r.AddForward(ctx, api.ForwardInput{Hostname: "a.site.com", Listen: "localhost:" + port})
			must(t, err)
		}
		last = ev.Seq
		if ev.Kind == api.EventHeartbeat {
			heartbeats++
		}
		if ev.Status == nil || len(ev.Status.Forwards) == 0 {
			continue
		}
		if heartbeats > 0 {
			return
		}
		// Wait for a heartbeat; then one more change shows that the stream lives.
		for heartbeats == 0 {
			for ev, err := range r.Watch(ctx) {
				must(t, err)
				if ev.Kind == api.EventHeartbeat {
					heartbeats++
					break
				}
			}
		}
		return
	}
}

// TestSlowReader reads nothing while much changes: afterwards it sees the last
// state, and was not sent every one in between.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.use()
	c, err := net.Dial("unix", r.socket)
	must(t, err)
	defer c.Close()
	must(t, c.(*net.UnixConn).SetReadBuffer(1))
	fmt.Fprint(c, "GET /v1/events HTTP/1.1\r\nHost: sallyport\r\n\r\n")
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	must(t, err)
	dec := json.NewDecoder(resp.Body)
	var ev api.Event
	must(t, dec.Decode(&ev))

	const changes = 400 // some hundred bytes each: more than a socket holds
	address := ""
	for i := range changes {
		address = fmt.Sprintf("127.0.0.1:%d", i+1)
		_, err := r.UseEdge(t.Context(), api.EdgeInput{Name: fmt.Sprintf("e%d.site.com", i%16), Address: address})
		must(t, err)
	}
	c.SetReadDeadline(time.Now().Add(patience))
	events := 0
	for len(ev.Status.Edges) == 0 || ev.Status.Edges[0].Address != address {
		ev = api.Event{}
		must(t, dec.Decode(&ev))
		events++
	}
	if events >= changes {
		t.Errorf("%d events for %d changes: nothing was left out", events, changes)
	}
}

func TestHeldForwardGoesWithItsRequest(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.use()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	port := freePort(t)
	n := 0
	for f, err := range r.HoldForward(ctx, api.ForwardInput{Hostname: "a.site.com", Listen: "localhost:" + port}) {
		if err != nil {
			break
		}
		n++
		if !f.Hold || f.State == api.ForwardError {
			t.Errorf("forward %+v", f)
		}
		if n == 1 { // a change is told
			paused := true
			_, err := r.EditForward(t.Context(), f.ID, api.ForwardPatch{Paused: &paused})
			must(t, err)
		}
		if f.State == api.ForwardPaused {
			cancel()
		}
	}
	if n < 2 {
		t.Errorf("%d lines, want one at once and one for the change", n)
	}
	r.until("gone", func(s *api.Status) bool { return len(s.Forwards) == 0 })
}

func TestHeldTunnelGoesWithItsRequest(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.use()
	for tn, err := range r.HoldTunnel(t.Context(), api.TunnelInput{Hostname: linktest.Hostname, Origin: "tcp://localhost:1"}) {
		must(t, err)
		if tn.State == api.TunnelPublished {
			break
		}
	}
	r.until("gone", func(s *api.Status) bool { return len(s.Tunnels) == 0 })
}

func TestHeldLogin(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.use()
	var last api.Login
	for l, err := range r.HoldLogin(t.Context(), api.LoginInput{Mode: api.ModeCode}) {
		must(t, err)
		if l.State == api.LoginBrowser {
			_, err := r.Redeem(t.Context(), l.ID, "ABCD1234")
			must(t, err)
		}
		last = l
	}
	if last.State != api.LoginDone || last.Session == nil {
		t.Errorf("in the end: %+v", last)
	}
	// One that is left is given up.
	id := ""
	for l, err := range r.HoldLogin(t.Context(), api.LoginInput{Mode: api.ModeCode}) {
		must(t, err)
		id = l.ID
		break
	}
	r.until("given up", func(s *api.Status) bool {
		for _, l := range s.Logins {
			if l.ID == id {
				return l.State.Final()
			}
		}
		return false
	})
}

// TestStopEndsWhatIsHeld: the end does not wait for who watches or holds.
func TestStopEndsWhatIsHeld(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.use()
	ended := make(chan error, 2)
	began := make(chan struct{}, 2)
	go func() {
		for _, err := range r.Watch(t.Context()) {
			if err != nil {
				ended <- err
				return
			}
			select {
			case began <- struct{}{}:
			default:
			}
		}
	}()
	go func() {
		for _, err := range r.HoldForward(t.Context(), api.ForwardInput{Hostname: "a.site.com", Listen: "localhost:" + freePort(t)}) {
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	<-began
	r.until("held", func(s *api.Status) bool { return len(s.Forwards) == 1 })
	began2 := time.Now()
	r.stop()
	if took := time.Since(began2); took > patience {
		t.Errorf("the end took %v", took)
	}
	for range 2 {
		if err := <-ended; codeOf(err) != api.CodeDaemonDown {
			t.Errorf("told %v", err)
		}
	}
	if _, err := r.Status(t.Context()); codeOf(err) != api.CodeDaemonDown {
		t.Errorf("after the end: %v", err)
	}
}

func TestManyIdleConnections(t *testing.T) {
	t.Parallel()
	r := start(t)
	for range 500 {
		c, err := net.Dial("unix", r.socket)
		must(t, err)
		defer c.Close()
	}
	if _, err := r.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClientOfAnotherSocket(t *testing.T) {
	t.Parallel()
	c, err := client.New(client.Options{Socket: "/nowhere/d.sock"})
	must(t, err)
	if _, err := c.Status(t.Context()); codeOf(err) != api.CodeDaemonDown {
		t.Errorf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"hostname":"a","listen":"localhost:1"}`))
	f.Add([]byte(`{"paused":null}`))
	f.Add([]byte(`{} {}`))
	f.Add([]byte(` [1]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var in api.ForwardInput
		decode(body, &in)
		var patch api.ForwardPatch
		if noNulls(body) == nil && decode(body, &patch) == nil && !json.Valid(body) {
			t.Fatalf("took %q", body)
		}
	})
}
