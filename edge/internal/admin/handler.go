package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/idp"
	"github.com/sallyport/sallyport/edge/internal/relay"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// handler answers on the admin socket.
type handler struct {
	Rooms
	mux *http.ServeMux
}

// request is one call by a caller who may.
type request struct {
	*http.Request
	actor string
}

// answer does a request and gives what to write as JSON: nil for 204.
type answer func(ctx context.Context, r *request) (any, error)

// New makes the handler. It starts nothing.
func New(rooms Rooms) http.Handler {
	h := &handler{Rooms: rooms, mux: http.NewServeMux()}
	for pattern, do := range h.routes() {
		h.mux.Handle(pattern, h.wrap(do))
	}
	h.mux.HandleFunc("GET /v1/audit", h.auditTail)
	return h
}

func (h *handler) routes() map[string]answer {
	return map[string]answer{
		"GET /v1/status":                  h.status,
		"GET /v1/apps":                    h.appList,
		"POST /v1/apps":                   h.appAdd,
		"GET /v1/apps/{hostname}":         h.appGet,
		"PATCH /v1/apps/{hostname}":       h.appEdit,
		"DELETE /v1/apps/{hostname}":      h.appRemove,
		"POST /v1/decisions":              h.why,
		"GET /v1/people":                  h.personList,
		"POST /v1/people":                 h.personAdd,
		"PATCH /v1/people/{email}":        h.personEdit,
		"DELETE /v1/people/{email}":       h.personRemove,
		"PUT /v1/people/{email}/password": h.personPassword,
		"GET /v1/setup-link":              h.setupLink,
		"GET /v1/sessions":                h.sessionList,
		"DELETE /v1/sessions/{id}":        h.sessionRevoke,
		"GET /v1/connectors":              h.connectorList,
		"DELETE /v1/connectors/{id}":      h.connectorRevoke,
		"GET /v1/tokens":                  h.tokenList,
		"POST /v1/tokens":                 h.tokenNew,
		"DELETE /v1/tokens/{id}":          h.tokenRemove,
		"GET /v1/streams":                 h.streamList,
		"DELETE /v1/streams/{id}":         h.streamCut,
		"POST /v1/drain":                  h.drain,
		"GET /v1/audit/verify":            h.auditVerify,
	}
}

// ServeHTTP refuses whoever may not call before anything is looked at.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, err := actor(r.Context())
	if err != nil {
		h.problem(w, r, &adminapi.Problem{Code: adminapi.CodePermission, Title: "you may not administer this edge", Detail: err.Error(),
			Hint: "run the command as the user that the edge runs as, or as root"})
		return
	}
	if _, pattern := h.mux.Handler(r); pattern == "" {
		h.problem(w, r, &adminapi.Problem{Code: adminapi.CodeNotFound, Title: "no such route", Detail: r.Method + " " + r.URL.Path,
			Hint: "are command and edge of the same version?"})
		return
	}
	h.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), actorKey{}, who)))
}

type actorKey struct{}

func (h *handler) wrap(do answer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, adminapi.MaxBodyBytes)
		who, _ := r.Context().Value(actorKey{}).(string)
		v, err := do(r.Context(), &request{Request: r, actor: who})
		switch {
		case err != nil:
			h.problem(w, r, err)
		case v == nil:
			w.WriteHeader(http.StatusNoContent)
		case r.Method == http.MethodPost:
			h.write(w, http.StatusCreated, "application/json", v)
		default:
			h.write(w, http.StatusOK, "application/json", v)
		}
	}
}

func (h *handler) write(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		h.Log.Debug("admin answer could not be sent", "error", err)
	}
}

func (h *handler) problem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.Type, p.Status = "about:blank", p.HTTPStatus()
	if p.Code == adminapi.CodeInternal {
		h.Log.Error("admin request", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	h.write(w, p.Status, "application/problem+json", p)
}

// invalid is a fault of the caller.
func invalid(title string, err error) error {
	p := &adminapi.Problem{Code: adminapi.CodeInvalid, Title: title}
	if err != nil {
		p.Detail = err.Error()
	}
	return p
}

// problemOf gives what a caller is told of an error.
func problemOf(err error) *adminapi.Problem {
	var p *adminapi.Problem
	var why *wire.Reason
	switch {
	case errors.As(err, &p):
		q := *p
		return &q
	case errors.As(err, &why):
		return &adminapi.Problem{Code: adminapi.CodeInvalid, Title: why.Text, Hint: why.Hint}
	case errors.Is(err, store.ErrNotFound), errors.Is(err, enrol.ErrNotFound), errors.Is(err, relay.ErrNoStream):
		return &adminapi.Problem{Code: adminapi.CodeNotFound, Title: "there is no such object"}
	case errors.Is(err, store.ErrExists):
		return &adminapi.Problem{Code: adminapi.CodeConflict, Title: "it exists already"}
	}
	for _, bad := range []error{idp.ErrEmail, idp.ErrName, idp.ErrPassword, idp.ErrGroup} {
		if errors.Is(err, bad) {
			return &adminapi.Problem{Code: adminapi.CodeInvalid, Title: bad.Error()}
		}
	}
	return &adminapi.Problem{Code: adminapi.CodeInternal, Title: "the edge could not do that", Detail: err.Error(),
		Hint: "the edge's log has more"}
}

// about puts a name to the object of a not-found or conflict.
func about(err error, missing, exists, hint string) error {
	p := problemOf(err)
	switch p.Code {
	case adminapi.CodeNotFound:
		p.Title, p.Hint = missing, hint
	case adminapi.CodeConflict:
		p.Title, p.Hint = exists, hint
	default:
		return err
	}
	return p
}

// decode reads a body strictly.
func (r *request) decode(v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return invalid("the request's body cannot be read", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return invalid("the request's body has more than one value", nil)
	}
	return nil
}

// audited writes the record of what the caller has done. It is written after the
// change, so that it never tells what did not happen.
func (h *handler) audited(ctx context.Context, r *request, rec audit.Record) error {
	rec.Outcome, rec.Actor = audit.OK, r.actor
	// The change is made: who gives up waiting does not keep it out of the log.
	if err := h.Audit.Write(context.WithoutCancel(ctx), rec); err != nil {
		return &adminapi.Problem{Code: adminapi.CodeInternal, Title: "it is done, but it is not in the audit log",
			Detail: fmt.Sprint(err), Hint: "look after the disk of the audit log"}
	}
	h.Log.Info("administrator's change", slog.String("event", rec.Event), slog.String("detail", rec.Detail),
		slog.String("object", rec.Object), slog.String("actor", rec.Actor))
	return nil
}
