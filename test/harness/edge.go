package harness

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// EdgeOptions shape an edge; the zero value is one for site.com on loopback
// with the embedded provider.
type EdgeOptions struct {
	Site string // default site.com
	// Host is the edge's name; default localhost. Any other has https pages, as
	// a public edge does; it listens on loopback all the same.
	Host string
	// Cert and Key are certificate files, CA what they are checked against; ""
	// means the private CA that init makes.
	Cert, Key, CA string
	// WantPort is taken if it is free.
	WantPort int
	// Change edits the edge.yaml that init wrote.
	Change func(yaml string) string
	Env    []string
	// Init and Serve are the words after the program's name, typed in the edge's
	// folder; nil means those that fit the other options.
	Init, Serve []string
}

// Edge is a running sallyport-edge.
type Edge struct {
	Dir  string
	Host string
	Port int
	Site string
	// CA is the file that its certificate is checked against.
	CA string
	// Metrics is where it serves metrics and profiles, IP:PORT; "" where the file
	// that init wrote says otherwise.
	Metrics string

	world   *World
	process *Process
	env     []string
	serve   []string
}

// StartEdge runs init and serve.
func (w *World) StartEdge(ctx context.Context, o EdgeOptions) (*Edge, error) {
	port, err := FreePort(o.WantPort)
	if err != nil {
		return nil, err
	}
	e := &Edge{Dir: filepath.Join(w.Dir, "edge"), Port: port, CA: o.CA, world: w, env: o.Env,
		Site: cmp.Or(o.Site, "site.com"), Host: cmp.Or(o.Host, "localhost")}
	if err := os.MkdirAll(e.Dir, 0o700); err != nil {
		return nil, err
	}
	args := o.Init
	if args == nil {
		args = []string{"init", "--name", e.Host, "--site", e.Site, "--listen", e.Address()}
		if o.Cert != "" {
			args = append(args, "--cert", o.Cert, "--key", o.Key)
		}
	}
	if e.serve = o.Serve; e.serve == nil {
		e.serve = []string{"serve", "--config", e.Config()}
	}
	init := w.run(ctx, command{path: w.Programs.Edge, dir: e.Dir, args: args})
	if err := init.Err(); err != nil {
		return nil, err
	}
	if err := e.configure(o.Change); err != nil {
		return nil, err
	}
	if e.CA == "" {
		if err := e.findCA(); err != nil {
			return nil, err
		}
	}
	return e, e.Start(ctx)
}

// Config is the path of edge.yaml.
func (e *Edge) Config() string { return filepath.Join(e.Dir, "edge.yaml") }

// configure takes the fixed metrics port out of the way and applies change.
func (e *Edge) configure(change func(string) string) error {
	b, err := os.ReadFile(e.Config())
	if err != nil {
		return err
	}
	yaml := string(b)
	if !hasKey(yaml, "metrics") {
		port, err := FreePort(0)
		if err != nil {
			return err
		}
		e.Metrics = fmt.Sprintf("127.0.0.1:%d", port)
		yaml += fmt.Sprintf("\nmetrics:\n  listen: %s\n", e.Metrics)
	}
	if change != nil {
		yaml = change(yaml)
	}
	return os.WriteFile(e.Config(), []byte(yaml), 0o600)
}

func hasKey(yaml, key string) bool {
	for line := range strings.Lines(yaml) {
		if strings.HasPrefix(line, key+":") {
			return true
		}
	}
	return false
}

func (e *Edge) findCA() error {
	var found string
	err := filepath.WalkDir(e.Dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.Contains(filepath.Dir(path), "ca") && strings.HasSuffix(path, "ca.pem") {
			found = path
		}
		return err
	})
	e.CA = found
	if found == "" && err == nil {
		return errors.New("init left no ca.pem of a private CA")
	}
	return err
}

// Start runs serve and waits until it answers. After Kill or Stop it starts
// the same edge again.
func (e *Edge) Start(ctx context.Context) error {
	p, err := e.world.start(command{name: "edge", path: e.world.Programs.Edge, dir: e.Dir, env: e.env,
		args: e.serve})
	if err != nil {
		return err
	}
	e.process = p
	transport, err := e.transport()
	if err != nil {
		return err
	}
	c := &http.Client{Timeout: time.Second, Transport: transport}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return Poll(ctx, "the edge to answer", func() (bool, error) {
		select {
		case <-p.Done():
			cancel(fmt.Errorf("the edge ended with code %d: see %s", p.ExitCode(), filepath.Join(e.world.Dir, "logs", "edge.log")))
			return false, nil
		default:
		}
		res, err := c.Get(e.WebURL() + "/")
		if err != nil {
			return false, err
		}
		res.Body.Close()
		return true, nil
	})
}

// WebURL is where its pages are.
func (e *Edge) WebURL() string {
	if e.Host == "localhost" {
		return "http://" + e.Name()
	}
	return "https://" + e.Name()
}

// Address is where it listens.
func (e *Edge) Address() string { return fmt.Sprintf("127.0.0.1:%d", e.Port) }

// transport reaches its pages as a browser does whose DNS knows the name.
func (e *Edge) transport() (*http.Transport, error) {
	pem, err := os.ReadFile(e.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr == e.Name() {
				addr = e.Address()
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}, nil
}

// Name is the edge as `sallyport edge use` takes it.
func (e *Edge) Name() string { return fmt.Sprintf("%s:%d", e.Host, e.Port) }

// Process is the running program.
func (e *Edge) Process() *Process { return e.process }

// Run types a sallyport-edge command beside the running edge.
func (e *Edge) Run(ctx context.Context, args ...string) Result {
	return e.RunInput(ctx, "", args...)
}

// RunInput is Run with standard input.
func (e *Edge) RunInput(ctx context.Context, stdin string, args ...string) Result {
	args = append(args, "--config", e.Config())
	return e.world.run(ctx, command{path: e.world.Programs.Edge, dir: e.Dir, args: args, stdin: strings.NewReader(stdin), env: e.env})
}

// JSON types a command with --json and reads its output into v.
func (e *Edge) JSON(ctx context.Context, v any, args ...string) error {
	return decode(e.Run(ctx, append(args, "--json")...), v)
}

// Person is somebody of the embedded provider.
type Person struct{ Email, Password string }

// AddPerson adds somebody with a fresh password.
func (e *Edge) AddPerson(ctx context.Context, email string, groups ...string) (Person, error) {
	p := Person{Email: email, Password: rand.Text()}
	args := []string{"person", "add", email, "--password-stdin"}
	for _, g := range groups {
		args = append(args, "--group", g)
	}
	return p, e.RunInput(ctx, p.Password+"\n", args...).Err()
}

// AddApp adds an app with the rules given, as --allow and its kin.
func (e *Edge) AddApp(ctx context.Context, hostname string, rules ...string) error {
	return e.Run(ctx, append([]string{"app", "add", hostname}, rules...)...).Err()
}

// JoinToken makes a join token for the hostnames given; more are further flags.
func (e *Edge) JoinToken(ctx context.Context, hostnames string, more ...string) (string, error) {
	var out struct {
		Token  string `json:"token"`
		Secret string `json:"secret"`
	}
	args := append([]string{"token", "new", "--site", e.Site, "--hostnames", hostnames}, more...)
	if err := e.JSON(ctx, &out, args...); err != nil {
		return "", err
	}
	if out.Secret != "" {
		return out.Secret, nil
	}
	return out.Token, nil
}

// Serve runs serve with a config file to its end, for an edge that must not start.
func (e *Edge) Serve(ctx context.Context, config string) Result {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return e.world.run(ctx, command{path: e.world.Programs.Edge, dir: e.Dir, args: []string{"serve", "--config", config}, env: e.env})
}
