package walk

import (
	"context"
	"io"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/browser"
)

// ChosenEdge is the edge that was named, else the caller's own, else the
// machine's.
func ChosenEdge(edges []api.Edge, name string) (api.Edge, error) {
	if name != "" {
		return input.FindEdge(edges, name)
	}
	if len(edges) == 0 {
		return api.Edge{}, NoEdge()
	}
	for _, e := range edges {
		if !e.Machine {
			return e, nil
		}
	}
	return edges[0], nil
}

// Portal prints the address of an edge's page, and opens it where there is a
// browser.
func (w *Walk) Portal(ctx context.Context, name string) error {
	edges, err := w.Client.Edges(ctx)
	if err != nil {
		return err
	}
	e, err := ChosenEdge(edges, name)
	if err != nil {
		return err
	}
	at := browser.Edge{Name: e.Name, Address: e.Address}
	page := struct {
		URL string `json:"url"`
	}{browser.Portal(at)}
	if err := w.Term.Print(page, func(out io.Writer) { terminal.Say(out, "%s", page.URL) }); err != nil {
		return err
	}
	if ok, _ := w.Term.Browser(); !ok {
		return nil
	}
	if err := w.Term.Open(ctx, page.URL, at); err != nil {
		w.Term.Note("the browser did not open: " + err.Error())
	}
	return nil
}
