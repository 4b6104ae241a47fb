package localapi

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
	"github.com/sallyport/sallyport/internal/pipe"
)

const (
	// host is what the Host header must say: no name of any network.
	host = "sallyport"
	// headerTimeout bounds the head of a request, bodyTimeout all of it.
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	// idleTimeout closes connections that ask nothing.
	idleTimeout = 2 * time.Minute
	// writeTimeout bounds one answer, or one line of a stream of lines.
	writeTimeout = 10 * time.Second
	// maxHeaderBytes: no caller of ours sends a hundredth of it.
	maxHeaderBytes = 16 << 10
	// stopTimeout bounds the end of requests that are under way at a stop.
	stopTimeout = 3 * time.Second
)

// Config is what a Server needs. Agent, Version and Log are required.
type Config struct {
	Agent   *agent.Agent
	Version api.Version
	Log     *slog.Logger
	// Open opens a stream for a caller; nil asks the agent.
	Open func(ctx context.Context, who ipc.Identity, in api.StreamInput) (pipe.Stream, error)
	// Heartbeat is how often an idle event stream shows life; zero means
	// api.HeartbeatEvery.
	Heartbeat time.Duration
}

// Server serves the local API.
type Server struct {
	cfg     Config
	agent   *agent.Agent
	log     *slog.Logger
	mux     *http.ServeMux
	seq     atomic.Uint64 // of events
	streams streams
	// hijacked are the upgraded connections, which http.Server forgets.
	hijacked sync.WaitGroup
	// ending is closed when Run ends.
	ending chan struct{}
}

// New returns a Server that serves nothing until Run.
func New(c Config) *Server {
	if c.Heartbeat == 0 {
		c.Heartbeat = api.HeartbeatEvery
	}
	if c.Open == nil {
		c.Open = func(ctx context.Context, who ipc.Identity, in api.StreamInput) (pipe.Stream, error) {
			return c.Agent.OpenStream(ctx, who, in)
		}
	}
	s := &Server{cfg: c, agent: c.Agent, log: c.Log, ending: make(chan struct{})}
	s.streams.init()
	s.mux = s.newMux(routes)
	return s
}

// Run serves l until ctx ends. It closes l.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       s.withCaller,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { // joined below
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	close(s.ending)
	cancel()
	if !stop() {
		<-stopped
	}
	server.Close()
	s.hijacked.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

type callerKey struct{}

// withCaller notes how to learn who is at the other end. The kernel is asked
// when the first request comes: naming the user may take a directory service,
// for which the accepting of others is not to wait.
func (s *Server) withCaller(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, callerKey{}, sync.OnceValues(func() (ipc.Identity, error) {
		who, err := ipc.Peer(c)
		if err != nil {
			return who, err
		}
		return s.agent.Account(who)
	}))
}

func callerOf(ctx context.Context) (ipc.Identity, error) {
	ask, ok := ctx.Value(callerKey{}).(func() (ipc.Identity, error))
	if !ok {
		return ipc.Identity{}, ipc.ErrNoIdentity
	}
	return ask()
}

// ServeHTTP judges a request and hands it to its route.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if p := foreign(r); p != nil {
		s.log.Warn("request refused", slog.String(logging.KeyMethod, r.Method), slog.String(logging.KeyReason, p.Detail))
		s.fail(w, r, p)
		return
	}
	if _, err := callerOf(r.Context()); err != nil {
		s.log.Warn("request refused", slog.String(logging.KeyMethod, r.Method), slog.Any(logging.KeyError, err))
		s.fail(w, r, &api.Problem{Code: api.CodePermission, Title: "Who asks is unknown", Detail: "the kernel does not say which user it is"})
		return
	}
	// Cleaning a path would be a redirect, which no caller of ours follows.
	if r.URL.Path == "" || r.URL.Path[0] != '/' || path.Clean(r.URL.Path) != r.URL.Path {
		s.fail(w, r, noRoute(r))
		return
	}
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(bodyTimeout + writeTimeout))
	s.mux.ServeHTTP(w, r)
}

// foreign refuses what no program of ours sends.
func foreign(r *http.Request) *api.Problem {
	refuse := func(detail string) *api.Problem {
		return &api.Problem{
			Code: api.CodePermission, Title: "Not a request of a local program", Detail: detail,
			Hint: "The Host is \"sallyport\"; web pages may not use this API.",
		}
	}
	if r.Host != host {
		return refuse("the Host is another")
	}
	for name := range r.Header {
		if name == "Origin" || name == "Referer" || strings.HasPrefix(name, "Sec-Fetch-") {
			return refuse("it carries the header " + name)
		}
	}
	return nil
}

// newMux makes the router of a table. Besides its methods each path has a
// handler that says which those are.
func (s *Server) newMux(table []route) *http.ServeMux {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, rt := range table {
		pattern := api.Prefix + rt.path
		mux.Handle(rt.method+" "+pattern, s.handler(rt))
		methods[pattern] = append(methods[pattern], rt.method)
	}
	for pattern, allowed := range methods {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.fail(w, r, &api.Problem{
				Code: api.CodeInvalid, Status: http.StatusMethodNotAllowed,
				Title: "Not a method of this path", Detail: "it takes " + strings.Join(allowed, ", "),
			})
		})
		// GET patterns take HEAD along; nobody of ours asks for heads, and of a
		// stream there would be no end.
		mux.HandleFunc("HEAD "+pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			w.WriteHeader(http.StatusMethodNotAllowed)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, noRoute(r)) })
	return mux
}

func noRoute(*http.Request) *api.Problem {
	return &api.Problem{
		Code: api.CodeNotFound, Title: "No such path in this API",
		Hint: "GET /v1/openapi.json lists what there is. Do the versions of the two programs agree?",
	}
}

// handler checks the permission of a route and answers its errors.
func (s *Server) handler(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := callerOf(r.Context())
		if err != nil {
			s.fail(w, r, s.problemOf(r, err)) // seen by ServeHTTP before
			return
		}
		if rt.need == administrator && !who.Administrator {
			s.fail(w, r, &api.Problem{
				Code: api.CodePermission, Title: "Not permitted", Detail: "tunnels and the machine's settings belong to administrators",
				Hint: "Run it as root, or as a member of the group sallyport.",
			})
			return
		}
		if err := rt.serve(s, w, r, who); err != nil {
			s.fail(w, r, s.problemOf(r, err))
		}
	})
}
