// Package walk holds the commands that take more than one call: finding the
// edge, signing in, and what runs until Ctrl-C or until its bytes are through.
//
// Shapes: a Walk joins the daemon's client and the terminal. Hold methods live
// as long as their context, and take the logins that their connections want.
//
// Errors: those of api/client and of package input.
//
// Concurrency: a method joins what it starts, but for the copying of standard
// input, which ends with the input or the process.
package walk

import (
	"context"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/api/client"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/signin"
)

// EdgeEnv is the environment variable that names the edge for a command that
// gives none.
const EdgeEnv = "SALLYPORT_EDGE"

// Walk is what the commands of this package work with.
type Walk struct {
	Client *client.Client
	Term   *terminal.Terminal
}

// Edge is the Edge field of an input: what was said, or SALLYPORT_EDGE, made
// known to the daemon if it is not yet; "" means the caller's edge. Where the
// caller has none, host (if not "") is asked which edge serves it.
func (w *Walk) Edge(ctx context.Context, said, host string, machine bool) (string, error) {
	if said == "" {
		said = w.Term.Getenv(EdgeEnv)
	}
	if said == "" && host == "" {
		return "", nil
	}
	edges, err := w.Client.Edges(ctx)
	if err != nil {
		return "", err
	}
	if said == "" {
		if len(edges) > 0 {
			return "", nil
		}
		return w.discover(ctx, host)
	}
	name, err := input.Edge(said)
	if err != nil {
		return "", err
	}
	in := api.EdgeInput{Name: name, Machine: machine}
	for _, e := range edges {
		if e.Name != name {
			continue
		}
		if e.Machine || !machine {
			return name, nil
		}
		in.Address, in.CAPEM, in.HostKeys = e.Address, e.CAPEM, e.HostKeys // the person's own, for the machine
		if !strings.Contains(e.Proxy, "@") {                               // a password is not told
			in.Proxy = e.Proxy
		}
	}
	_, err = w.Client.UseEdge(ctx, in)
	return name, err
}

// NoEdge is the problem of a caller who has chosen none.
func NoEdge() *api.Problem {
	return &api.Problem{Code: api.CodeNoEdge, Title: "No edge is chosen", Hint: "sallyport edge use NAME[:PORT]"}
}

// Login goes through one login in the foreground.
func (w *Walk) Login(ctx context.Context, edge string, noBrowser bool, purpose api.LoginPurpose) (api.Login, error) {
	edge, err := w.Edge(ctx, edge, "", purpose == api.PurposeEnrol)
	if err != nil {
		return api.Login{}, err
	}
	mode, reason := w.Term.LoginMode(noBrowser)
	if mode == api.ModeCode && !noBrowser && w.Term.Silent {
		// Nobody can type the code, but somebody may read the URL.
		mode, reason = api.ModeLoopback, "nothing can be typed here: open the page in a browser on this machine, or type this command in a terminal"
	}
	return w.login(ctx, edge, mode, reason, purpose, w.Term.Typed)
}

func (w *Walk) login(ctx context.Context, edge string, mode api.LoginMode, reason string, purpose api.LoginPurpose, read terminal.Reader) (api.Login, error) {
	attempt := signin.Attempt{Client: w.Client, Edge: edge, Mode: mode, Purpose: purpose, Dialog: w.Term.Dialog(mode, reason, read)}
	l, err := attempt.Run(ctx)
	if mode == api.ModeLoopback && !w.Term.Silent && signin.WrongMode(err) {
		return w.byCode(ctx, edge, purpose, read)
	}
	return l, err
}

// byCode is login where the edge takes no other mode.
func (w *Walk) byCode(ctx context.Context, edge string, purpose api.LoginPurpose, read terminal.Reader) (api.Login, error) {
	return w.login(ctx, edge, api.ModeCode, "this edge signs in by a code alone", purpose, read)
}
