package walker

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// Refuse says no on the first page of a login that offers it.
func Refuse(ctx context.Context, client *http.Client, startURL string) error {
	w := walk{client: client}
	if err := w.open(ctx, startURL); err != nil {
		return err
	}
	for _, f := range w.page.forms {
		no := slices.IndexFunc(f.buttons, func(b input) bool { return b.value == "refuse" })
		if no < 0 {
			continue
		}
		b := f.buttons[no]
		b.kind = "hidden"
		answer := &form{action: f.action, method: f.method, inputs: append(slices.Clone(f.inputs), b)}
		return w.submit(ctx, answer)
	}
	return fmt.Errorf("%s (%q) offers no refusal", w.at.Path, w.page.title)
}
