package admin

import (
	"context"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/idp"
)

// embedded says that there are people to administer.
func (h *handler) embedded() error {
	if h.People != nil {
		return nil
	}
	return &adminapi.Problem{Code: adminapi.CodeUnsupported, Title: "this edge has no people of its own",
		Detail: "edge.yaml names an external provider under oidc", Hint: "add people there"}
}

func noPerson(err error, email string) error {
	return about(err, "there is no person "+email, "there is a person "+email+" already",
		"sallyport-edge person list shows all; person passwd sets a password")
}

func (h *handler) personList(ctx context.Context, _ *request) (any, error) {
	if err := h.embedded(); err != nil {
		return nil, err
	}
	all, err := h.People.List(ctx)
	people := []adminapi.Person{}
	for _, p := range all {
		people = append(people, personOf(p))
	}
	return people, err
}

func personOf(p idp.Person) adminapi.Person {
	return adminapi.Person{Subject: p.Subject, Email: p.Email, Name: p.Name, Groups: list(p.Groups), CreatedAt: p.CreatedAt}
}

func (h *handler) personAdd(ctx context.Context, r *request) (any, error) {
	var in adminapi.PersonInput
	if err := h.embedded(); err != nil {
		return nil, err
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	p, password, err := h.People.Add(ctx, idp.NewPerson{Email: in.Email, Name: in.Name, Password: in.Password, Groups: in.Groups})
	if err != nil {
		return nil, noPerson(err, in.Email)
	}
	out := adminapi.Credentials{Person: personOf(p)}
	if in.Password == "" {
		out.Password = password
	}
	return out, h.audited(ctx, r, personRecord("add", p.Email, p.Groups))
}

func (h *handler) personEdit(ctx context.Context, r *request) (any, error) {
	var in adminapi.PersonPatch
	if err := h.embedded(); err != nil {
		return nil, err
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	email := r.PathValue("email")
	old, err := h.People.Get(ctx, email)
	if err != nil {
		return nil, noPerson(err, email)
	}
	if in.Groups == nil {
		return personOf(old), nil
	}
	p, err := h.People.SetGroups(ctx, email, *in.Groups)
	if err != nil {
		return nil, noPerson(err, email)
	}
	rec := personRecord("groups", p.Email, p.Groups)
	rec.Before, rec.After = strings.Join(old.Groups, ", "), strings.Join(p.Groups, ", ")
	return personOf(p), h.audited(ctx, r, rec)
}

func (h *handler) personRemove(ctx context.Context, r *request) (any, error) {
	if err := h.embedded(); err != nil {
		return nil, err
	}
	email := r.PathValue("email")
	if err := h.People.Remove(ctx, email); err != nil {
		return nil, noPerson(err, email)
	}
	return nil, h.audited(ctx, r, personRecord("remove", email, nil))
}

func (h *handler) personPassword(ctx context.Context, r *request) (any, error) {
	var in adminapi.PasswordInput
	if err := h.embedded(); err != nil {
		return nil, err
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	email := r.PathValue("email")
	password, err := h.People.SetPassword(ctx, email, in.Password)
	if err != nil {
		return nil, noPerson(err, email)
	}
	p, err := h.People.Get(ctx, email)
	if err != nil {
		return nil, noPerson(err, email)
	}
	out := adminapi.Credentials{Person: personOf(p)}
	if in.Password == "" {
		out.Password = password
	}
	return out, h.audited(ctx, r, personRecord("password", p.Email, nil))
}

func personRecord(what, email string, groups []string) audit.Record {
	return audit.Record{Event: audit.EventPerson, Detail: what, Object: email, Email: email, Groups: groups}
}

func (h *handler) setupLink(context.Context, *request) (any, error) {
	if err := h.embedded(); err != nil {
		return nil, err
	}
	url := ""
	if h.SetupLink != nil {
		url = h.SetupLink()
	}
	if url == "" {
		return nil, &adminapi.Problem{Code: adminapi.CodeNotFound, Title: "there is no set-up link any more",
			Detail: "this edge has a person already", Hint: "sallyport-edge person add EMAIL --group " + idp.AdminGroup + " makes an administrator"}
	}
	return adminapi.SetupLink{URL: url}, nil
}
