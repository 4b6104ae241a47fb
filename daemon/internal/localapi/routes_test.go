//go:build !windows

package localapi

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/linktest"
)

// TestRoutesAreDocumented compares the table with the OpenAPI document: the same
// routes, the same permissions.
func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	var doc struct {
		Paths map[string]map[string]struct{ Description string }
	}
	must(t, json.Unmarshal(api.OpenAPI(), &doc))
	want := map[string]permission{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if !slices.Contains([]string{"get", "post", "patch", "delete", "put"}, method) {
				continue // what all methods of a path share
			}
			_, need, _ := strings.Cut(op.Description, "Permission: ")
			want[strings.ToUpper(method)+" "+path] = map[bool]permission{true: administrator, false: anyone}[need == "an administrator."]
		}
	}
	got := map[string]permission{}
	for _, rt := range routes {
		got[rt.method+" "+rt.path] = rt.need
	}
	for _, r := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[r]; !ok {
			t.Errorf("%s is documented and not served", r)
		}
	}
	for _, r := range slices.Sorted(maps.Keys(got)) {
		if need, ok := want[r]; !ok {
			t.Errorf("%s is served and not documented", r)
		} else if need != got[r] {
			t.Errorf("%s needs %s, the document says %s", r, got[r], need)
		}
	}
}

// matrix says for each route what the owner of the things is answered (who is an
// administrator here), and what another OS user is.
var matrix = []matrixRow{
	{"GET /version", "", "", 200, 200},
	{"GET /openapi.json", "", "", 200, 200},
	{"GET /status", "", "", 200, 200},
	{"GET /events", "", "", 200, 200},
	{"GET /edges", "", "", 200, 200},
	{"POST /edges", "", `{"name":"e.site.com","address":"127.0.0.1:1"}`, 201, 201},
	{"POST /edges", "", `{"name":"e.site.com","address":"127.0.0.1:1","machine":true}`, 201, 403},
	{"DELETE /edges/{id}", "/edges/MACHINE", "", 204, 403},
	{"DELETE /edges/{id}", "/edges/OWN", "", 204, 404},
	{"GET /forwards", "", "", 200, 200},
	{"POST /forwards", "", `{"hostname":"x.site.com","listen":"localhost:PORT"}`, 201, 201},
	{"POST /forwards", "", `{"hostname":"x.site.com","listen":"localhost:PORT","hold":true}`, 201, 201},
	{"POST /forwards", "", `{"hostname":"x.site.com","listen":"127.0.0.1:80","paused":true}`, 201, 403},
	{"POST /forwards", "", `{"hostname":"x.site.com","listen":"0.0.0.0:PORT","paused":true}`, 201, 403},
	{"POST /forwards", "", `{"hostname":"x.site.com","listen":"unix:/etc/x","paused":true}`, 201, 403},
	{"GET /forwards/{id}", "/forwards/FORWARD", "", 200, 404},
	{"PATCH /forwards/{id}", "/forwards/FORWARD", `{"paused":true}`, 200, 404},
	{"DELETE /forwards/{id}", "/forwards/FORWARD", "", 204, 404},
	{"GET /tunnels", "", "", 200, 200},
	{"POST /tunnels", "", `{"hostname":"y.site.com","origin":"tcp://localhost:1"}`, 201, 403},
	{"GET /tunnels/{id}", "/tunnels/TUNNEL", "", 200, 404},
	{"PATCH /tunnels/{id}", "/tunnels/TUNNEL", `{"paused":true}`, 200, 403},
	{"DELETE /tunnels/{id}", "/tunnels/TUNNEL", "", 204, 403},
	{"GET /enrolments", "", "", 200, 200},
	{"POST /enrolments", "", `{"token":"join"}`, 201, 403},
	{"GET /logins", "", "", 200, 200},
	// The other user has chosen an edge above where nothing listens.
	{"POST /logins", "", `{"mode":"code"}`, 201, 502},
	{"POST /logins", "", `{"mode":"code","purpose":"enrol"}`, 201, 403},
	{"GET /logins/{id}", "/logins/LOGIN", "", 200, 404},
	{"POST /logins/{id}/redeem", "/logins/LOGIN/redeem", `{"code":"x"}`, 200, 404},
	{"DELETE /logins/{id}", "/logins/LOGIN", "", 204, 404},
	{"GET /sessions", "", "", 200, 200},
	{"DELETE /sessions/{id}", "/sessions/SESSION", "", 204, 404},
	{"GET /apps", "", "", 200, 401},
	{"POST /streams", "", `{"hostname":"tcp.site.com"}`, 426, 426},
	{"GET /streams/{id}", "/streams/none", "", 404, 404},
}

// TestMatrix walks every route as every kind of caller.
func TestMatrix(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range matrix {
		seen[row.route] = true
	}
	for _, rt := range routes {
		if r := rt.method + " " + rt.path; !seen[r] {
			t.Errorf("%s has no row in the matrix", r)
		}
	}
	t.Run("unknown caller", func(t *testing.T) {
		s := New(Config{Agent: start(t).agent, Log: start(t).server.log})
		for _, rt := range routes {
			w := httptest.NewRecorder()
			// A request that came by no connection of ours, whatever it says.
			r := httptest.NewRequest(rt.method, "http://sallyport/v1"+rt.path, nil)
			r.Header.Set("X-Forwarded-For", "127.0.0.1")
			r.Header.Set("X-Remote-User", "root")
			s.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden {
				t.Errorf("%s %s: %d, want 403", rt.method, rt.path, w.Code)
			}
		}
	})
	// Another user first: nothing of what it asks may take the owner's things away.
	t.Run("another user", func(t *testing.T) {
		r, ids := furnished(t)
		as := asNobody(t, r.socket)
		for _, row := range matrix {
			method, path, body := row.request(t, ids)
			if got := as(method, path, body); got != row.other {
				t.Errorf("%s %s %s: %d, want %d", method, path, body, got, row.other)
			}
		}
		s, err := r.Status(t.Context())
		must(t, err)
		if len(s.Forwards) < 1 || len(s.Tunnels) != 1 || len(s.Sessions) != 1 || s.Sessions[0].State != api.SessionActive {
			t.Errorf("after another user's requests: %+v", s)
		}
	})
	t.Run("owner", func(t *testing.T) {
		for _, row := range matrix {
			r, ids := furnished(t)
			method, path, body := row.request(t, ids)
			if got, _, answer := r.raw(method, path, body); got != row.owner {
				t.Errorf("%s %s %s: %d, want %d: %s", method, path, body, got, row.owner, answer)
			}
			r.stop()
		}
	})
}

// furnished is a rig with one thing of each kind, and their ids.
func furnished(t *testing.T) (*rig, *strings.Replacer) {
	t.Helper()
	r := start(t)
	own, err := r.UseEdge(t.Context(), api.EdgeInput{Name: "own.site.com", Address: "127.0.0.1:1"})
	must(t, err)
	machine, err := r.UseEdge(t.Context(), api.EdgeInput{Name: linktest.Name, Address: r.edge.Addr(), CAPEM: r.edge.CAPEM(), Machine: true})
	must(t, err)
	_, err = r.UseEdge(t.Context(), api.EdgeInput{Name: linktest.Name, Address: r.edge.Addr(), CAPEM: r.edge.CAPEM()})
	must(t, err)
	r.login()
	login, err := r.StartLogin(t.Context(), api.LoginInput{Mode: api.ModeCode})
	must(t, err)
	forward, err := r.AddForward(t.Context(), api.ForwardInput{Hostname: "a.site.com", Listen: "localhost:" + freePort(t)})
	must(t, err)
	tunnel, err := r.AddTunnel(t.Context(), api.TunnelInput{Hostname: "b.site.com", Origin: "tcp://localhost:1"})
	must(t, err)
	sessions, err := r.Sessions(t.Context())
	must(t, err)
	return r, strings.NewReplacer("/OWN", "/"+own.ID, "/MACHINE", "/"+machine.ID, "/LOGIN", "/"+login.ID, "/FORWARD", "/"+forward.ID,
		"/TUNNEL", "/"+tunnel.ID, "/SESSION", "/"+sessions[0].ID)
}

// request is the request of a row.
func (row *matrixRow) request(t *testing.T, ids *strings.Replacer) (method, path, body string) {
	t.Helper()
	method, path, _ = strings.Cut(row.route, " ")
	if row.path != "" {
		path = row.path
	}
	return method, api.Prefix + ids.Replace(path), strings.ReplaceAll(row.body, "PORT", freePort(t))
}

// matrixRow is one request, and its answers.
type matrixRow struct {
	route        string // method and path, as in the table
	path         string // with the ids of the owner's things; "" is that of the route
	body         string
	owner, other int
}

const (
	nobody  = 65534
	roleEnv = "SALLYPORT_LOCALAPI_TEST_SOCKET"
)

// TestMain lets the test binary ask as another user: a request a line, of which
// it says the status.
func TestMain(m *testing.M) {
	socket := os.Getenv(roleEnv)
	if socket == "" {
		os.Exit(m.Run())
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		method, rest, _ := strings.Cut(in.Text(), " ")
		path, body, _ := strings.Cut(rest, " ")
		status, err := once(socket, method, path, body)
		fmt.Println(status, err)
	}
}

// once makes a request by hand: there is no test to lean on.
func once(socket, method, path, body string) (int, error) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	req, err := http.NewRequest(method, "http://sallyport"+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Remote-User", "root")
	if err := req.Write(c); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// asNobody returns a function that asks as a real second user.
func asNobody(t *testing.T, socket string) func(method, path, body string) int {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to run a process of a second user")
	}
	exe, err := os.ReadFile("/proc/self/exe") // its directory is closed to others
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	dir, err := os.MkdirTemp("", "sp")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin := filepath.Join(dir, "t")
	must(t, errors.Join(os.Chmod(dir, 0o755), os.WriteFile(bin, exe, 0o755)))
	cmd := exec.Command(bin)
	cmd.Dir, cmd.Env = "/", []string{roleEnv + "=" + socket}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, NoSetGroups: true}}
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	answers := bufio.NewReader(out)
	return func(method, path, body string) int {
		fmt.Fprintln(in, method, path, body)
		line, err := answers.ReadString('\n')
		must(t, err)
		var status int
		var rest string
		fmt.Sscan(line, &status, &rest)
		if rest != "<nil>" {
			t.Fatalf("%s %s: %s", method, path, line)
		}
		return status
	}
}
