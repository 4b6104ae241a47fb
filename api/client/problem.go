package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"syscall"

	"github.com/sallyport/sallyport/api"
)

// problemOf reads the problem of an answer that is no success.
func problemOf(resp *http.Response) *api.Problem {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	body, err := io.ReadAll(io.LimitReader(resp.Body, api.MaxBodyBytes))
	p := &api.Problem{}
	if err == nil && kind == "application/problem+json" && json.Unmarshal(body, p) == nil && p.Code != "" {
		p.Status = resp.StatusCode
		return p
	}
	return &api.Problem{
		Code:   api.CodeInternal,
		Title:  "Unexpected answer of the daemon",
		Detail: fmt.Sprintf("%s with content type %q", resp.Status, resp.Header.Get("Content-Type")),
		Hint:   "compare the versions of the two programs: sallyport version",
		Status: resp.StatusCode,
	}
}

// transportError gives the error of a request that got no whole answer.
func transportError(ctx context.Context, err error) error {
	var p *api.Problem
	if errors.As(err, &p) {
		return p
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return broken(err)
}

// broken is the problem of a daemon that went away in the middle.
func broken(err error) *api.Problem {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return &api.Problem{
			Code:   api.CodeDaemonDown,
			Title:  "The daemon has stopped",
			Detail: "it ended in the middle of this command",
			Hint:   startHint,
		}
	}
	return &api.Problem{
		Code:   api.CodeDaemonDown,
		Title:  "The connection to the daemon broke",
		Detail: err.Error(),
		Hint:   startHint,
	}
}

func internal(what string, err error) *api.Problem {
	return &api.Problem{Code: api.CodeInternal, Title: what, Detail: err.Error()}
}
