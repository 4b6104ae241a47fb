package authn

import (
	"encoding/json"
	"testing"
)

// FuzzClaims: whatever a provider claims, reading it ends, and what is taken
// over stays within its bounds.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"email":"a@b.c","email_verified":"true","groups":["x"],"amr":"pwd","auth_time":1.5e9,"azp":"edge"}`,
		`{"groups":"one"}`, `{"groups":null,"email_verified":{}}`, `{"groups":[1]}`, `[]`, `{"auth_time":1e300,"amr":[[]]}`, `{"name":"\u2028\u0000"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var c claims
		if c.read(func(v any) error { return json.Unmarshal(raw, v) }, "groups") != nil {
			return
		}
		who, err := c.identity()
		if err != nil {
			return
		}
		total := 0
		for _, g := range who.Groups {
			total += len(g)
		}
		if total > maxGroups || len(who.Email) > maxClaim || len(who.Name) > maxClaim || len(who.AMR) > 16 || who.EmailVerified && who.Email == "" {
			t.Fatalf("identity %+v", who)
		}
	})
}
