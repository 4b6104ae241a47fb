package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/sessions"
	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/internal/buildinfo"
	"github.com/sallyport/sallyport/wire"
)

func (h *handler) status(context.Context, *request) (any, error) {
	c, n := h.Settings(), h.Relay.Links()
	return adminapi.Status{Name: c.Name, ID: c.ID, URL: c.WebURL(), Version: buildinfo.Version(), StartedAt: h.StartedAt,
		Clients: n.Clients, Hosts: n.Hosts, Trunks: n.Trunks, Streams: n.Streams, Parked: n.Parked}, nil
}

// maxDrain bounds the wait for streams to end.
const maxDrain = 24 * time.Hour

// drain has the edge leave.
func (h *handler) drain(ctx context.Context, r *request) (any, error) {
	var in adminapi.DrainInput
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	wait := h.Settings().Drain.Deadline
	if in.DeadlineMS != nil {
		if *in.DeadlineMS < 0 || *in.DeadlineMS > maxDrain.Milliseconds() {
			return nil, invalid(fmt.Sprintf("a deadline is at most %d hours", maxDrain/time.Hour), nil)
		}
		wait = time.Duration(*in.DeadlineMS) * time.Millisecond
	}
	if err := h.audited(ctx, r, audit.Record{Event: audit.EventAdmin, Detail: "drain"}); err != nil {
		return nil, err
	}
	return adminapi.Drain{Deadline: h.Drain(time.Now().Add(wait)).UTC(), Streams: h.Relay.Links().Streams}, nil
}

// maxReason bounds the words that a person is shown.
const maxReason = 256

// reason reads the query's reason: one line, shown to the person who is cut.
func reason(r *request, otherwise string) (string, error) {
	s := r.URL.Query().Get("reason")
	if s == "" {
		return otherwise, nil
	}
	if utf8.RuneCountInString(s) > maxReason || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return "", invalid(fmt.Sprintf("a reason is one line of at most %d characters", maxReason), nil)
	}
	return s, nil
}

// all says whether the query asks for what is over, too.
func all(r *request) bool { return r.URL.Query().Get("all") == "true" }

func (h *handler) sessionList(ctx context.Context, r *request) (any, error) {
	rows, err := h.Sessions.List(ctx)
	out := []adminapi.Session{}
	for _, s := range rows {
		if s.EndedAt == nil || all(r) {
			out = append(out, sessionOf(s))
		}
	}
	return out, err
}

func sessionOf(s sessions.Session) adminapi.Session {
	return adminapi.Session{ID: s.ID, Issuer: s.Person.Issuer, Subject: s.Person.Subject, Email: s.Person.Email, Name: s.Person.Name,
		Groups: list(s.Person.Groups), DeviceName: s.DeviceName, OSUser: s.OSUser, From: s.From, Key: s.Key.String(),
		StartedAt: s.StartedAt, ExpiresAt: s.ExpiresAt, EndedAt: s.EndedAt, End: endOf(s.End)}
}

func endOf(r *wire.Reason) *adminapi.End {
	if r == nil {
		return nil
	}
	return &adminapi.End{Code: string(r.Code), Text: r.Text}
}

// sessionRevoke ends one session by its id, or every session of an address. It
// answers when their streams are cut.
func (h *handler) sessionRevoke(ctx context.Context, r *request) (any, error) {
	text, err := reason(r, "an administrator ended the session")
	if err != nil {
		return nil, err
	}
	target := r.PathValue("id")
	ids, err := h.sessionsOf(ctx, target)
	if err != nil {
		return nil, err
	}
	why := wire.Reason{Code: wire.CodeRevoked, Text: text, Hint: "sign in again with: sallyport login"}
	var faults []error
	ended := []string{}
	for _, id := range ids {
		if err := h.Sessions.End(ctx, id, why); err != nil {
			faults = append(faults, fmt.Errorf("end session %s: %w", id, err))
			continue
		}
		ended = append(ended, id)
		faults = append(faults, h.audited(ctx, r, audit.Record{Event: audit.EventAdmin, Detail: "session revoke", Object: id, Session: id, Reason: text}))
	}
	return adminapi.Ended{Sessions: ended}, errors.Join(faults...)
}

func (h *handler) sessionsOf(ctx context.Context, target string) ([]string, error) {
	rows, err := h.Sessions.List(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range rows {
		if s.EndedAt == nil && (s.ID == target || strings.Contains(target, "@") && strings.EqualFold(s.Person.Email, target)) {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) == 0 {
		return nil, about(store.ErrNotFound, "there is no live session "+target, "", "sallyport-edge session list shows them")
	}
	return ids, nil
}

func (h *handler) connectorList(ctx context.Context, r *request) (any, error) {
	rows, err := h.Enrol.List(ctx)
	out := []adminapi.Connector{}
	for _, c := range rows {
		if c.RevokedAt == nil || all(r) {
			out = append(out, adminapi.Connector{ID: c.ID, Group: c.Group, Site: c.Site, Hostnames: list(c.Hostnames), DeviceName: c.DeviceName,
				Key: c.Key.String(), By: c.By, CreatedAt: c.CreatedAt, RevokedAt: c.RevokedAt, End: endOf(c.End)})
		}
	}
	return out, err
}

func (h *handler) connectorRevoke(ctx context.Context, r *request) (any, error) {
	text, err := reason(r, "an administrator revoked this host's enrolment")
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	why := wire.Reason{Code: wire.CodeRevoked, Text: text, Hint: "enrol again with: sallyport tunnel login"}
	if err := h.Enrol.Revoke(ctx, id, why); err != nil {
		return nil, about(err, "there is no connector "+id, "", "sallyport-edge connector list shows them")
	}
	return nil, h.audited(ctx, r, audit.Record{Event: audit.EventAdmin, Detail: "connector revoke", Object: id, Connector: id, Reason: text})
}

func (h *handler) tokenList(ctx context.Context, _ *request) (any, error) {
	rows, err := h.Enrol.Tokens(ctx)
	out := []adminapi.Token{}
	for _, t := range rows {
		out = append(out, tokenOf(t))
	}
	return out, err
}

// tokenOf leaves the hash of the secret out.
func tokenOf(t enrol.Token) adminapi.Token {
	return adminapi.Token{ID: t.ID, Site: t.Site, Hostnames: list(t.Hostnames), Group: t.Group, Uses: t.Uses, Used: t.Used, By: t.By,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
}

func (h *handler) tokenNew(ctx context.Context, r *request) (any, error) {
	var in adminapi.TokenInput
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if in.TTLSeconds < 0 || in.TTLSeconds > int64(enrol.MaxTokenTTL/time.Second) {
		return nil, invalid(fmt.Sprintf("a token lives at most %d days", enrol.MaxTokenTTL/(24*time.Hour)), nil)
	}
	secret, t, err := h.Enrol.NewToken(ctx, enrol.TokenSpec{Site: in.Site, Hostnames: in.Hostnames, Group: in.Group,
		TTL: time.Duration(in.TTLSeconds) * time.Second, Uses: in.Uses, By: r.actor})
	if err != nil {
		return nil, err
	}
	return adminapi.NewToken{Token: tokenOf(t), Secret: secret}, h.audited(ctx, r, audit.Record{
		Event: audit.EventTokenCreated, Object: t.ID, Site: t.Site, Group: t.Group, Hosts: t.Hostnames})
}

func (h *handler) tokenRemove(ctx context.Context, r *request) (any, error) {
	id := r.PathValue("id")
	if err := h.Enrol.RemoveToken(ctx, id); err != nil {
		return nil, about(err, "there is no join token "+id, "", "sallyport-edge token list shows them")
	}
	return nil, h.audited(ctx, r, audit.Record{Event: audit.EventTokenRemoved, Object: id})
}

func (h *handler) streamList(context.Context, *request) (any, error) {
	out := []adminapi.Stream{}
	for _, s := range h.Relay.Streams() {
		out = append(out, adminapi.Stream{ID: s.ID.String(), Trace: s.Trace.String(), Trunk: s.Trunk.String(), Session: s.Session, Email: s.Email,
			Device: s.Device, OSUser: s.OSUser, Address: s.Address, Hostname: s.Hostname, Port: s.Port, Connector: s.Connector,
			Rule: s.Rule, StartedAt: s.StartedAt, Parked: s.Parked})
	}
	return out, nil
}

func (h *handler) streamCut(ctx context.Context, r *request) (any, error) {
	text, err := reason(r, "an administrator cut this connection")
	if err != nil {
		return nil, err
	}
	var id wire.StreamID
	if err := id.UnmarshalText([]byte(r.PathValue("id"))); err != nil {
		return nil, invalid("that is not the id of a stream", err)
	}
	if err := h.Relay.CutStream(ctx, id, wire.Reason{Code: wire.CodeRevoked, Text: text}); err != nil {
		return nil, about(err, "there is no live stream "+id.String(), "", "sallyport-edge stream list shows them")
	}
	return nil, h.audited(ctx, r, audit.Record{Event: audit.EventAdmin, Detail: "stream cut", Object: id.String(), Stream: id.String(), Reason: text})
}

func (h *handler) auditVerify(context.Context, *request) (any, error) {
	s, err := h.Audit.Inspect()
	if err != nil {
		return nil, &adminapi.Problem{Code: adminapi.CodeInternal, Title: "the audit log does not verify", Detail: err.Error(),
			Hint: "keep the file as it is, and find out who changed it"}
	}
	return adminapi.AuditSummary{Segments: s.Segments, Lines: s.Lines, FirstSeq: s.FirstSeq, LastSeq: s.LastSeq, LastHash: s.LastHash}, nil
}

// defaultTail is how many lines are told where nobody says.
const defaultTail = 20

// auditTail writes lines as they are, and with follow=true those that come.
func (h *handler) auditTail(w http.ResponseWriter, r *http.Request) {
	n, err := defaultTail, error(nil)
	if text := r.URL.Query().Get("n"); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 0 || n > audit.MaxTail {
			h.problem(w, r, invalid(fmt.Sprintf("n is a number up to %d", audit.MaxTail), nil))
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	if err := out.Flush(); err != nil {
		return
	}
	err = h.Audit.Tail(r.Context(), n, r.URL.Query().Get("follow") == "true", func(line []byte) error {
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
		return out.Flush()
	})
	if err != nil {
		h.Log.Debug("audit tail ended", "error", err)
	}
}
