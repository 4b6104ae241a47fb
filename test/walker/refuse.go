package walker

import (
	"context"
	"fmt"
	"net/http"
	"slices"
)

// Refuse signs in with email and password, and says no where it is asked.
func Refuse(ctx context.Context, client *http.Client, startURL, email, password string) error {
	w := walk{client: client, values: map[string]string{"email": email, "username": email, "password": password}}
	if err := w.open(ctx, startURL); err != nil {
		return err
	}
	for range maxSteps {
		if no := w.page.refusal(); no != nil {
			return w.submit(ctx, no)
		}
		form := w.page.form()
		if form == nil || w.page.alert != "" {
			break
		}
		if err := w.submit(ctx, form); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s (%q) offers no refusal: %s", w.at.Path, w.page.title, w.page.alert)
}

// Begin opens the first page and sends its form: from then on this browser owns
// the attempt.
func Begin(ctx context.Context, client *http.Client, startURL string) error {
	w := walk{client: client}
	if err := w.open(ctx, startURL); err != nil {
		return err
	}
	form := w.page.form()
	if form == nil {
		return fmt.Errorf("%s (%q) has no form: %s", w.at.Path, w.page.title, w.page.alert)
	}
	return w.submit(ctx, form)
}

// refusal gives a form of the page as its button for no would send it.
func (p page) refusal() *form {
	for _, f := range p.forms {
		no := slices.IndexFunc(f.buttons, func(b input) bool { return b.value == "refuse" })
		if no >= 0 {
			b := f.buttons[no]
			b.kind = "hidden"
			return &form{action: f.action, method: f.method, inputs: append(slices.Clone(f.inputs), b)}
		}
	}
	return nil
}
