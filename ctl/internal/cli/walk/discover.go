package walk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
)

// wellKnown is where an edge says that it serves a hostname.
const wellKnown = "/.well-known/sallyport"

// discover asks a hostname which edge serves it, and the person whether that
// edge is to be used. DNS alone never adds an edge.
func (w *Walk) discover(ctx context.Context, host string) (string, error) {
	name, err := w.askHost(ctx, host)
	if err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		p := NoEdge()
		p.Detail = fmt.Sprintf("%s does not say either which edge serves it (%v)", host, err)
		return "", p
	}
	p := NoEdge()
	p.Detail = fmt.Sprintf("%s says that the edge %s serves it", host, name)
	p.Hint = "if you trust it: sallyport edge use " + name
	if !w.Term.Terminal {
		return "", p
	}
	w.Term.Note(p.Detail)
	w.Term.Prompt("Use " + name + " from now on? What you reach goes through it. [y/N] ")
	answer, err := w.Term.Typed(ctx)
	if err != nil && err != io.EOF {
		return "", err
	}
	if y := strings.ToLower(strings.TrimSpace(answer)); y != "y" && y != "yes" {
		return "", p
	}
	if _, err := w.Client.UseEdge(ctx, api.EdgeInput{Name: name}); err != nil {
		return "", err
	}
	return name, nil
}

// askHost reads the document of a hostname. Its certificate is checked as any
// website's is.
func (w *Walk) askHost(ctx context.Context, host string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+wellKnown, nil)
	if err != nil {
		return "", err
	}
	resp, err := w.Term.HTTP.Do(req)
	var ue *url.Error // names the method and a URL that nobody typed
	if errors.As(err, &ue) {
		err = ue.Err
	}
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "application/json" {
		return "", fmt.Errorf("it answers %s", resp.Status)
	}
	var doc struct {
		Edge string `json:"edge"`
		Port uint16 `json:"port"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, api.MaxBodyBytes)).Decode(&doc); err != nil {
		return "", err
	}
	if doc.Port != 0 {
		doc.Edge = net.JoinHostPort(doc.Edge, strconv.Itoa(int(doc.Port)))
	}
	return input.Edge(doc.Edge)
}
