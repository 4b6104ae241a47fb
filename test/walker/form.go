package walker

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// form is a form of a page, as far as a walk fills it in.
type form struct {
	action, method string
	inputs         []input
	buttons        []input
}

type input struct {
	name, value, kind string
	checked           bool
}

// add notes an element of the form.
func (f *form) add(n *html.Node) {
	in := input{name: attr(n, "name"), value: attr(n, "value"), kind: strings.ToLower(attr(n, "type"))}
	switch n.Data {
	case "input":
		switch in.kind {
		case "submit":
			f.buttons = append(f.buttons, in)
			return
		case "radio", "checkbox":
			in.checked = has(n, "checked")
		}
		f.inputs = append(f.inputs, in)
	case "button":
		if in.kind == "" || in.kind == "submit" {
			f.buttons = append(f.buttons, in)
		}
	case "textarea":
		in.kind, in.value = "textarea", text(n)
		f.inputs = append(f.inputs, in)
	case "select":
		in.kind, in.value = "select", chosen(n)
		f.inputs = append(f.inputs, in)
	}
}

// chosen is the selected option of a select, or its first.
func chosen(n *html.Node) string {
	first, found := "", false
	for o := range n.Descendants() {
		if o.Type != html.ElementNode || o.Data != "option" {
			continue
		}
		value := attr(o, "value")
		if !has(o, "value") {
			value = text(o)
		}
		if has(o, "selected") {
			return value
		}
		if !found {
			first, found = value, true
		}
	}
	return first
}

func (f *form) hasPassword() bool {
	for _, in := range f.inputs {
		if in.kind == "password" {
			return true
		}
	}
	return false
}

// button is the first that goes on: neither a no nor a way back.
func (f *form) button() *input {
	for i, b := range f.buttons {
		switch b.value {
		case "refuse", "cancel", "other":
		default:
			return &f.buttons[i]
		}
	}
	return nil
}

// fill gives the fields that a browser would send.
func (f *form) fill(values map[string]string) url.Values {
	fields := url.Values{}
	radios := map[string]string{}
	for _, in := range f.inputs {
		switch in.kind {
		case "radio":
			if _, seen := radios[in.name]; !seen || in.checked {
				radios[in.name] = in.value
			}
			continue
		case "checkbox":
			if in.checked {
				fields.Add(in.name, in.value)
			}
			continue
		}
		if v, ok := values[in.name]; ok && in.kind != "hidden" {
			in.value = v
		}
		if in.name != "" {
			fields.Add(in.name, in.value)
		}
	}
	for name, v := range radios {
		fields.Set(name, v)
	}
	if b := f.button(); b != nil && b.name != "" {
		fields.Set(b.name, b.value)
	}
	return fields
}
