package localapi

import (
	"net/http"

	"github.com/sallyport/sallyport/internal/ipc"
)

// permission is what a route asks of its caller. Whose things a caller sees and
// changes is the agent's to say, for each of them.
type permission string

const (
	// anyone whose identity the kernel tells, for what is their own.
	anyone permission = "anyone"
	// administrator: root, the daemon's own user, the group sallyport.
	administrator permission = "administrator"
)

// route is one line of the API.
type route struct {
	method string
	path   string // below api.Prefix
	need   permission
	serve  func(s *Server, w http.ResponseWriter, r *http.Request, who ipc.Identity) error
}

// routes is the whole API.
var routes = []route{
	{"GET", "/version", anyone, (*Server).version},
	{"GET", "/openapi.json", anyone, (*Server).openAPI},
	{"GET", "/status", anyone, (*Server).status},
	{"GET", "/events", anyone, (*Server).events},

	{"GET", "/edges", anyone, (*Server).listEdges},
	{"POST", "/edges", anyone, (*Server).useEdge}, // machine: an administrator
	{"DELETE", "/edges/{id}", anyone, (*Server).removeEdge},

	{"GET", "/forwards", anyone, (*Server).listForwards},
	{"POST", "/forwards", anyone, (*Server).addForward},
	{"GET", "/forwards/{id}", anyone, (*Server).getForward},
	{"PATCH", "/forwards/{id}", anyone, (*Server).editForward},
	{"DELETE", "/forwards/{id}", anyone, (*Server).removeForward},

	{"GET", "/tunnels", anyone, (*Server).listTunnels}, // none but for administrators
	{"POST", "/tunnels", administrator, (*Server).addTunnel},
	{"GET", "/tunnels/{id}", anyone, (*Server).getTunnel}, // likewise
	{"PATCH", "/tunnels/{id}", administrator, (*Server).editTunnel},
	{"DELETE", "/tunnels/{id}", administrator, (*Server).removeTunnel},

	{"GET", "/enrolments", anyone, (*Server).listEnrolments}, // likewise
	{"POST", "/enrolments", administrator, (*Server).enrol},

	{"GET", "/logins", anyone, (*Server).listLogins},
	{"POST", "/logins", anyone, (*Server).startLogin}, // purpose enrol: an administrator
	{"GET", "/logins/{id}", anyone, (*Server).getLogin},
	{"DELETE", "/logins/{id}", anyone, (*Server).cancelLogin},
	{"POST", "/logins/{id}/redeem", anyone, (*Server).redeemLogin},

	{"GET", "/sessions", anyone, (*Server).listSessions},
	{"DELETE", "/sessions/{id}", anyone, (*Server).endSession},

	{"GET", "/apps", anyone, (*Server).listApps},

	{"POST", "/streams", anyone, (*Server).openStream},
	{"GET", "/streams/{id}", anyone, (*Server).getStream},
}
