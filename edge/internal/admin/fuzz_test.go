package admin

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
)

// A body is one value of known fields, or it is refused: what is taken is all there was.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"hostname":"tcp.site.com","rules":[{"effect":"allow","who":"everyone"}]}`, `{}`, `{} {}`, `{"x":1}`, `[]`, `null`, `{"hostname":1}`, "\xff", `{"hostname":"a"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &request{Request: httptest.NewRequest("POST", "/", bytes.NewReader(body))}
		var in adminapi.AppInput
		if err := r.decode(&in); err != nil {
			return
		}
		if !json.Valid(body) {
			t.Errorf("taken though it is no JSON: %q", body)
		}
		again, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var second adminapi.AppInput
		r = &request{Request: httptest.NewRequest("POST", "/", bytes.NewReader(again))}
		if err := r.decode(&second); err != nil {
			t.Errorf("%q is taken, what it says is not: %v", body, err)
		}
	})
}
