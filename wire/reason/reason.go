// Package reason holds why something was refused or ended, as it is told across
// the protocol. Package wire gives it out under its own name, with all codes.
package reason

import (
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/wire/envelope"
)

// Code is the kind of an end or a refusal. Codes are stable strings.
type Code string

// The codes that a trunk and its streams use by themselves.
const (
	OK          Code = "ok"
	Limit       Code = "limit"
	Reset       Code = "reset"
	CarrierLost Code = "carrier-lost"
	Closed      Code = "closed"
	Protocol    Code = "protocol"
)

// Reason is a refusal or an end with its words. It travels in messages and
// verdicts and is an error at whoever receives it.
type Reason struct {
	Code Code `json:"code"`
	// Text is why, one sentence for a person, without a period.
	Text string `json:"text,omitempty"`
	// Hint is the next step.
	Hint string `json:"hint,omitempty"`
}

// Error gives code and text.
func (r *Reason) Error() string {
	if r.Text == "" {
		return string(r.Code)
	}
	return fmt.Sprintf("%s: %s", r.Code, r.Text)
}

// Is makes errors.Is(err, &Reason{Code: c}) compare codes.
func (r *Reason) Is(target error) bool {
	t, ok := target.(*Reason)
	return ok && t.Code == r.Code
}

// Words puts a reason into the form of a frame (nil: reset).
func Words(r *Reason) envelope.Words {
	if r == nil {
		return envelope.Words{Code: string(Reset)}
	}
	w := envelope.Words{Code: string(r.Code), Text: r.Text, Hint: r.Hint}
	if w.Code == "" {
		w.Code = string(Reset)
	}
	return w
}

// Of takes a reason out of a frame.
func Of(w envelope.Words) *Reason {
	return &Reason{Code: Code(w.Code), Text: w.Text, Hint: w.Hint}
}

// From is the reason in an error; carrier-lost where it has none.
func From(err error) *Reason {
	var r *Reason
	if errors.As(err, &r) {
		return r
	}
	return &Reason{Code: CarrierLost}
}
