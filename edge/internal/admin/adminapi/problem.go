package adminapi

import "net/http"

// Code names the kind of a problem. Codes are stable; texts are not.
type Code string

const (
	CodeInvalid     Code = "invalid"       // bad input
	CodeNotFound    Code = "not-found"     // no such object
	CodeConflict    Code = "conflict"      // it exists already
	CodePermission  Code = "not-permitted" // not this OS user
	CodeUnsupported Code = "unsupported"   // not with this configuration
	CodeInternal    Code = "internal"      // a fault of ours
	CodeEdgeDown    Code = "edge-down"     // made by the client: no edge answers

	CodeDatabaseLocked Code = "database-locked" // of serve: another edge holds it
)

// Problem is an error as the admin socket tells it: application/problem+json
// (RFC 9457), in the form of the daemons' local API.
type Problem struct {
	Type   string `json:"type,omitempty"` // "about:blank"
	Code   Code   `json:"code"`
	Title  string `json:"title"`            // what happened, without a period
	Detail string `json:"detail,omitempty"` // why
	Hint   string `json:"hint,omitempty"`   // the next step
	Status int    `json:"status,omitempty"`
}

// Error gives title and detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// HTTPStatus is the status that the code is told with.
func (p *Problem) HTTPStatus() int {
	switch p.Code {
	case CodeInvalid:
		return http.StatusBadRequest
	case CodeNotFound:
		return http.StatusNotFound
	case CodeConflict:
		return http.StatusConflict
	case CodePermission:
		return http.StatusForbidden
	case CodeUnsupported:
		return http.StatusNotImplemented
	}
	return http.StatusInternalServerError
}
