package reason

import (
	"errors"
	"fmt"
	"testing"
)

func TestReason(t *testing.T) {
	t.Parallel()
	r := &Reason{Code: "denied", Text: "not allowed", Hint: "ask bob"}
	if got := Of(Words(r)); *got != *r {
		t.Errorf("%+v becomes %+v", r, got)
	}
	for _, none := range []*Reason{nil, {}} {
		if got := Words(none); got.Code != string(Reset) {
			t.Errorf("%v is told as %+v, want reset", none, got)
		}
	}
	wrapped := fmt.Errorf("open: %w", r)
	if !errors.Is(wrapped, &Reason{Code: "denied"}) || errors.Is(wrapped, &Reason{Code: "limit"}) {
		t.Error("errors.Is does not compare codes")
	}
	if r.Error() != "denied: not allowed" || (&Reason{Code: "x"}).Error() != "x" {
		t.Errorf("texts %q and %q", r, &Reason{Code: "x"})
	}
}
