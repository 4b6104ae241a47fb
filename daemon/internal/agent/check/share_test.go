package check

import (
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/ipc"
)

func TestShare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		share, listen string
		admin         bool
		want          api.Code
	}{
		{"", "localhost:9210", false, ""},
		{"everyone", "localhost:9210", true, ""},
		{"everyone", "localhost:9210", false, api.CodePermission},
		{"everyone", "unix:/run/x", true, api.CodeInvalid},
		{"group:", "localhost:9210", true, api.CodeInvalid},
		{"group:no such group", "localhost:9210", true, api.CodeInvalid},
		{"somebody", "localhost:9210", true, api.CodeInvalid},
	} {
		got := api.Code("")
		if p := Share(tt.share, tt.listen, ipc.Identity{UID: "1", Administrator: tt.admin}); p != nil {
			got = p.Code
		}
		if got != tt.want {
			t.Errorf("%q on %s, administrator %t: %q, want %q", tt.share, tt.listen, tt.admin, got, tt.want)
		}
	}
}
