//go:build linux

package machine

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/api"
)

// controlRow is one request to the control API, and what each column of callers
// is answered.
type controlRow struct {
	route string // as in the document of the API
	path  string // with words for the owner's things; "" is that of the route
	body  string
	want  [4]int // owner, other, group, root

	upgrade, undo bool
}

// controlRows hold every route (a test compares them with the API's document).
// Each column is called from the first row to the last.
var controlRows = []controlRow{
	{route: "GET /version", want: [4]int{200, 200, 200, 200}},
	// What the others have chosen: an edge where nothing listens.
	{route: "POST /edges", body: `{"name":"e.site.com","address":"127.0.0.1:1"}`, want: [4]int{201, 201, 201, 201}},
	{route: "POST /edges", body: `{"name":"f.site.com","address":"169.254.169.254:80"}`, want: [4]int{403, 403, 201, 201}, undo: true},
	{route: "POST /edges", body: `{"name":"e.site.com","address":"127.0.0.1:1","machine":true}`, want: [4]int{403, 403, 201, 201}, undo: true},
	{route: "GET /openapi.json", want: [4]int{200, 200, 200, 200}},
	{route: "GET /status", want: [4]int{200, 200, 200, 200}},
	{route: "GET /events", want: [4]int{200, 200, 200, 200}},
	{route: "GET /edges", want: [4]int{200, 200, 200, 200}},
	{route: "GET /forwards", want: [4]int{200, 200, 200, 200}},
	{route: "POST /forwards", body: `{"hostname":"x.site.com","listen":"localhost:PORT","edge":"e.site.com","paused":true}`, want: [4]int{201, 201, 201, 201}, undo: true},
	{route: "POST /forwards", body: `{"hostname":"x.site.com","listen":"localhost:19999","edge":"e.site.com","paused":true}`, want: [4]int{409, 409, 409, 409}},
	{route: "POST /forwards", body: `{"hostname":"x.site.com","listen":"127.0.0.1:80","edge":"e.site.com","paused":true}`, want: [4]int{403, 403, 201, 201}, undo: true},
	{route: "POST /forwards", body: `{"hostname":"x.site.com","listen":"0.0.0.0:PORT","edge":"e.site.com","paused":true}`, want: [4]int{403, 403, 201, 201}, undo: true},
	{route: "POST /forwards", body: `{"hostname":"x.site.com","listen":"unix:/etc/x","edge":"e.site.com","paused":true}`, want: [4]int{403, 403, 201, 201}, undo: true},
	{route: "GET /forwards/{id}", path: "/forwards/FORWARD", want: [4]int{200, 404, 404, 200}},
	{route: "PATCH /forwards/{id}", path: "/forwards/FORWARD", body: `{"http":true}`, want: [4]int{200, 404, 404, 200}},
	{route: "PATCH /forwards/{id}", path: "/forwards/FORWARD", body: `{"share":"everyone"}`, want: [4]int{403, 404, 404, 200}},
	{route: "DELETE /forwards/{id}", path: "/forwards/FORWARD", want: [4]int{204, 404, 404, 204}},
	{route: "GET /tunnels", want: [4]int{200, 200, 200, 200}},
	{route: "POST /tunnels", body: `{"hostname":"y.site.com","origin":"tcp://localhost:1"}`, want: [4]int{403, 403, 201, 201}, undo: true},
	{route: "GET /tunnels/{id}", path: "/tunnels/TUNNEL", want: [4]int{404, 404, 200, 200}},
	{route: "PATCH /tunnels/{id}", path: "/tunnels/TUNNEL", body: `{"paused":true}`, want: [4]int{403, 403, 200, 200}},
	{route: "DELETE /tunnels/{id}", path: "/tunnels/TUNNEL", want: [4]int{403, 403, 204, 204}},
	{route: "GET /enrolments", want: [4]int{200, 200, 200, 200}},
	// No such token: who may ask hears that.
	{route: "POST /enrolments", body: `{"token":"none"}`, want: [4]int{403, 403, 422, 422}},
	{route: "GET /logins", want: [4]int{200, 200, 200, 200}},
	// Where nothing listens.
	{route: "POST /logins", body: `{"mode":"code","edge":"e.site.com"}`, want: [4]int{502, 502, 502, 502}},
	{route: "POST /logins", body: `{"mode":"code","purpose":"enrol","edge":"EDGENAME"}`, want: [4]int{403, 403, 201, 201}, undo: true},
	{route: "GET /logins/{id}", path: "/logins/LOGIN", want: [4]int{200, 404, 404, 404}},
	{route: "POST /logins/{id}/redeem", path: "/logins/LOGIN/redeem", body: `{"code":"x"}`, want: [4]int{422, 404, 404, 404}},
	{route: "DELETE /logins/{id}", path: "/logins/LOGIN", want: [4]int{204, 404, 404, 404}},
	// Who asks again joins what is under way: after the owner's own rows.
	{route: "POST /logins", body: `{"mode":"code","edge":"EDGENAME"}`, want: [4]int{201, 201, 201, 201}, undo: true},
	{route: "GET /sessions", want: [4]int{200, 200, 200, 200}},
	{route: "GET /apps", path: "/apps?edge=EDGENAME", want: [4]int{200, 401, 401, 401}},
	{route: "POST /streams", body: `{"hostname":"tcp.site.com"}`, want: [4]int{426, 426, 426, 426}},
	{route: "GET /streams/{id}", path: "/streams/STREAM", want: [4]int{200, 404, 404, 404}},
	{route: "DELETE /edges/{id}", path: "/edges/MACHINE", want: [4]int{403, 403, 204, 204}},
	{route: "DELETE /edges/{id}", path: "/edges/OWNEDGE", want: [4]int{204, 404, 404, 404}},
	{route: "DELETE /sessions/{id}", path: "/sessions/SESSION", want: [4]int{204, 404, 404, 404}},
}

// routesServed are the routes of the API's document, which is tested to be what
// the daemon serves.
func routesServed() []string {
	var doc struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(api.OpenAPI(), &doc); err != nil {
		panic(err) // tested
	}
	var all []string
	for path, methods := range doc.Paths {
		for method := range methods {
			if slices.Contains([]string{"get", "post", "patch", "delete", "put"}, method) {
				all = append(all, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(all)
	return all
}
