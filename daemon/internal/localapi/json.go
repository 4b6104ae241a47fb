package localapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/logging"
)

const (
	typeJSON    = "application/json"
	typePatch   = "application/merge-patch+json"
	typeProblem = "application/problem+json"
	typeLines   = "application/x-ndjson"
)

// read decodes the body of a request: one JSON object of known fields. It reads
// to the end, so that the server sees when the caller goes away.
func read[T any](w http.ResponseWriter, r *http.Request) (v T, err error) {
	want := typeJSON
	if r.Method == http.MethodPatch {
		want = typePatch
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != want && kind != typeJSON {
		return v, &api.Problem{
			Code: api.CodeInvalid, Status: http.StatusUnsupportedMediaType, Title: "Not JSON", Detail: "the Content-Type must be " + want,
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, api.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return v, &api.Problem{
			Code: api.CodeInvalid, Status: http.StatusRequestEntityTooLarge, Title: "The request is too large",
			Detail: "a body has at most " + strconv.Itoa(api.MaxBodyBytes) + " bytes",
		}
	case err != nil:
		return v, malformed("the body did not arrive whole")
	}
	// From here on reading serves to see the caller go away: it may stay long.
	http.NewResponseController(w).SetReadDeadline(time.Time{})
	if r.Method == http.MethodPatch {
		if err := noNulls(body); err != nil {
			return v, err
		}
	}
	return v, decode(body, &v)
}

// decode takes one object, and nothing behind it.
func decode(body []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return jsonProblem(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return malformed("there is more than one value")
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); trimmed[0] != '{' {
		return malformed("it is no object")
	}
	return nil
}

// jsonProblem tells what is wrong without repeating what was sent, which may be
// a secret.
func jsonProblem(err error) *api.Problem {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	const unknown = "json: unknown field "
	switch text := err.Error(); {
	case errors.As(err, &syntax):
		return malformed("it breaks off or errs at byte " + strconv.FormatInt(syntax.Offset, 10))
	case errors.As(err, &kind):
		return &api.Problem{Code: api.CodeInvalid, Title: "A field of another kind", Detail: "it is to be a " + kind.Type.String(), Field: kind.Field}
	case strings.HasPrefix(text, unknown):
		field, err := strconv.Unquote(strings.TrimPrefix(text, unknown))
		if err != nil {
			field = ""
		}
		return &api.Problem{
			Code: api.CodeInvalid, Title: "An unknown field", Field: field,
			Hint: "Do the versions of the two programs agree? Compare: sallyport version",
		}
	}
	return malformed("it breaks off")
}

func malformed(detail string) *api.Problem {
	return &api.Problem{Code: api.CodeInvalid, Status: http.StatusBadRequest, Title: "Not well-formed JSON", Detail: detail}
}

// noNulls refuses the null by which a merge patch takes a field away: none of
// ours can be missing.
func noNulls(body []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return jsonProblem(err)
	}
	for name, value := range fields {
		if string(value) == "null" {
			return &api.Problem{Code: api.CodeInvalid, Title: "A field that cannot be taken away", Field: name}
		}
	}
	return nil
}

// answer sends a value.
func answer(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)+1))
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
	return nil
}

// created sends a new object and where it is.
func created(w http.ResponseWriter, collection, id string, v any) error {
	locate(w, collection, id)
	return answer(w, http.StatusCreated, v)
}

func locate(w http.ResponseWriter, collection, id string) {
	w.Header().Set("Location", api.Prefix+collection+"/"+id)
}

// problemOf makes a problem of any error.
func (s *Server) problemOf(r *http.Request, err error) *api.Problem {
	var p *api.Problem
	if errors.As(err, &p) {
		return p
	}
	if r.Context().Err() == nil { // else the caller has gone, or we go
		s.log.Error("request failed", slog.String(logging.KeyMethod, r.Method), slog.String(logging.KeyPath, r.URL.Path), slog.Any(logging.KeyError, err))
	}
	return &api.Problem{Code: api.CodeInternal, Title: "An unexpected error", Detail: err.Error(), Hint: "Look at the daemon's log."}
}

// fail answers with a problem.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, p *api.Problem) {
	told := *p
	if told.Status == 0 {
		told.Status = statusOf(told.Code)
	}
	if told.Type == "" {
		told.Type = "about:blank"
	}
	b, err := json.Marshal(told)
	if err != nil {
		panic(err) // a struct of strings
	}
	w.Header().Set("Content-Type", typeProblem)
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	w.WriteHeader(told.Status)
	w.Write(append(b, '\n'))
}

// statusOf is the HTTP status of a code.
func statusOf(c api.Code) int {
	switch c {
	case api.CodeInvalid:
		return http.StatusUnprocessableEntity
	case api.CodeNotFound:
		return http.StatusNotFound
	case api.CodeConflict, api.CodePortTaken, api.CodeHostnameTaken, api.CodeNoEdge, api.CodeNotEnrolled:
		return http.StatusConflict
	case api.CodePermission, api.CodeDenied, api.CodeLoginRefused, api.CodeRevoked:
		return http.StatusForbidden
	case api.CodeLoginNeeded, api.CodeSessionEnded, api.CodeLoginExpired, api.CodeLoginAbandoned:
		return http.StatusUnauthorized
	case api.CodeLimit:
		return http.StatusTooManyRequests
	case api.CodeUnsupported:
		return http.StatusNotImplemented
	case api.CodeEdgeTimeout, api.CodeOriginTimeout:
		return http.StatusGatewayTimeout
	case api.CodeEdgeUnresolved, api.CodeEdgeRefused, api.CodeEdgeUnreached, api.CodeEdgeUntrusted, api.CodeEdgeProtocol,
		api.CodeClockWrong, api.CodeConnectorLost, api.CodeOriginRefused, api.CodeOriginError:
		return http.StatusBadGateway
	case api.CodeNoConnector, api.CodeDraining:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
