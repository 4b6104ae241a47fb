package admin

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/store"
)

func (h *handler) appList(context.Context, *request) (any, error) {
	list := []adminapi.App{}
	for _, a := range h.Apps.List() {
		list = append(list, appOf(a))
	}
	return list, nil
}

func (h *handler) appGet(_ context.Context, r *request) (any, error) {
	a, err := h.app(r.PathValue("hostname"))
	if err != nil {
		return nil, err
	}
	return appOf(*a), nil
}

func (h *handler) app(hostname string) (*policy.App, error) {
	name, err := policy.Normalise(hostname)
	if err != nil {
		return nil, invalid("that is not a hostname", err)
	}
	a, ok := h.Apps.Get(name)
	if !ok {
		return nil, noApp(store.ErrNotFound, name)
	}
	return a, nil
}

func noApp(err error, name string) error {
	return about(err, "there is no app "+name, "there is an app "+name+" already",
		"sallyport-edge app list shows all; app edit changes one")
}

func (h *handler) appAdd(ctx context.Context, r *request) (any, error) {
	var in adminapi.AppInput
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	name, err := policy.Normalise(in.Hostname)
	if err != nil {
		return nil, invalid("that is not a hostname", err)
	}
	if err := h.underSite(name); err != nil {
		return nil, err
	}
	app := policy.App{Hostname: name, Contact: in.Contact, Rules: rulesOf(in.Rules), ResumeWindowMS: in.ResumeWindowMS}
	return h.putApp(ctx, r, app, nil, h.Apps.Create, "add")
}

// underSite: an app elsewhere would never be asked for.
func (h *handler) underSite(name string) error {
	c := h.Settings()
	if _, ok := c.SiteOf(name); ok {
		return nil
	}
	var zones []string
	for _, s := range c.Sites {
		zones = append(zones, s.Zone)
	}
	return &adminapi.Problem{Code: adminapi.CodeInvalid, Title: name + " lies under none of this edge's sites",
		Detail: "the sites are " + strings.Join(zones, ", "), Hint: "write a hostname under a site, or add its zone to sites in edge.yaml"}
}

func (h *handler) appEdit(ctx context.Context, r *request) (any, error) {
	var in adminapi.AppPatch
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	old, err := h.app(r.PathValue("hostname"))
	if err != nil {
		return nil, err
	}
	app := *old
	if in.Contact != nil {
		app.Contact = *in.Contact
	}
	if in.Rules != nil {
		app.Rules = rulesOf(in.Rules)
	}
	if in.ResumeWindowMS != nil {
		app.ResumeWindowMS = in.ResumeWindowMS
	}
	return h.putApp(ctx, r, app, old, h.Apps.Put, "edit")
}

func (h *handler) putApp(ctx context.Context, r *request, app policy.App, old *policy.App, put func(context.Context, policy.App) error, what string) (any, error) {
	if err := policy.Check(app); err != nil {
		return nil, invalid("the app cannot be used", err)
	}
	if err := put(ctx, app); err != nil {
		return nil, noApp(err, app.Hostname)
	}
	now, ok := h.Apps.Get(app.Hostname)
	if !ok {
		return nil, noApp(store.ErrNotFound, app.Hostname) // removed in between
	}
	err := h.audited(ctx, r, audit.Record{Event: audit.EventApp, Detail: what, Object: app.Hostname, Hostname: app.Hostname,
		PolicyVersion: now.Version, Before: textOf(old), After: textOf(now)})
	return appOf(*now), err
}

func (h *handler) appRemove(ctx context.Context, r *request) (any, error) {
	name, err := policy.Normalise(r.PathValue("hostname"))
	if err != nil {
		return nil, invalid("that is not a hostname", err)
	}
	old, _ := h.Apps.Get(name)
	if err := h.Apps.Remove(ctx, name); err != nil {
		return nil, noApp(err, name)
	}
	return nil, h.audited(ctx, r, audit.Record{Event: audit.EventApp, Detail: "remove", Object: name, Hostname: name, Before: textOf(old)})
}

// textOf is an app in an audit record: "" for none.
func textOf(a *policy.App) string {
	if a == nil {
		return ""
	}
	b, err := json.Marshal(appOf(*a))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func appOf(a policy.App) adminapi.App {
	out := adminapi.App{Hostname: a.Hostname, Contact: a.Contact, Rules: []adminapi.Rule{},
		ResumeWindowMS: a.ResumeWindow().Milliseconds(), Version: a.Version, UpdatedAt: a.UpdatedAt}
	for _, r := range a.Rules {
		out.Rules = append(out.Rules, adminapi.Rule{Action: string(r.Action), Selectors: r.Selectors})
	}
	return out
}

func rulesOf(in []adminapi.Rule) []policy.Rule {
	rules := []policy.Rule{}
	for _, r := range in {
		rules = append(rules, policy.Rule{Action: policy.Action(r.Action), Selectors: r.Selectors})
	}
	return rules
}

// why decides as the relay would, for a person as far as that one is known.
func (h *handler) why(ctx context.Context, r *request) (any, error) {
	var in adminapi.WhyInput
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	name, err := policy.Normalise(in.Hostname)
	if err != nil {
		return nil, invalid("that is not a hostname", err)
	}
	s, known, err := h.subject(ctx, in.Email)
	if err != nil {
		return nil, err
	}
	if in.Groups != nil {
		s.Groups, known = in.Groups, "given"
	}
	app, _ := h.Apps.Get(name)
	d := policy.Decide(app, s)
	return adminapi.Why{Email: in.Email, Hostname: name, Groups: list(s.Groups), Known: known,
		Allow: d.Allow, Rule: d.Rule, Contact: d.Contact, Version: d.Version}, nil
}

// subject is what the edge knows of an address: its newest session, or its
// account at the embedded provider.
func (h *handler) subject(ctx context.Context, email string) (policy.Subject, string, error) {
	all, err := h.Sessions.List(ctx)
	if err != nil {
		return policy.Subject{}, "", err
	}
	for _, s := range all { // the newest first
		if s.EndedAt == nil && strings.EqualFold(s.Person.Email, email) {
			return s.Subject(), "session", nil
		}
	}
	s := policy.Subject{Email: email, EmailVerified: true}
	if h.People == nil {
		return s, "nothing", nil
	}
	p, err := h.People.Get(ctx, email)
	if errors.Is(err, store.ErrNotFound) {
		return s, "nothing", nil
	}
	if err != nil {
		return policy.Subject{}, "", err
	}
	s.Subject, s.Groups = p.Subject, p.Groups
	return s, "person", nil
}

// list is never null in JSON.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
