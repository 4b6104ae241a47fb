package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	codes := map[api.Code]int{
		api.CodeInvalid: 2, api.CodeNotFound: 6, api.CodeConflict: 6, api.CodePermission: 5, api.CodeInternal: 1, api.CodeNoEdge: 1,
		api.CodeEdgeUnresolved: 1, api.CodeEdgeRefused: 1, api.CodeEdgeTimeout: 1, api.CodeEdgeUnreached: 1, api.CodeEdgeUntrusted: 1,
		api.CodeEdgeProtocol: 1, api.CodeProxy: 1, api.CodeClockWrong: 1, api.CodeLoginNeeded: 3, api.CodeLoginRefused: 3, api.CodeLoginExpired: 3,
		api.CodeLoginAbandoned: 3, api.CodeSessionEnded: 3, api.CodeDenied: 5, api.CodeNoConnector: 1, api.CodeConnectorLost: 1,
		api.CodeOriginRefused: 1, api.CodeOriginTimeout: 1, api.CodeOriginError: 1, api.CodeLimit: 1, api.CodeDraining: 1,
		api.CodePortTaken: 6, api.CodeNotEnrolled: 3, api.CodeHostnameTaken: 6, api.CodeRevoked: 5, api.CodeDaemonDown: 4,
		api.CodeDatabaseLocked: 4, api.CodeUnsupported: 1, "a code of a later version": 1,
	}
	for code, want := range codes {
		if got := exitCode(fmt.Errorf("wrapped: %w", &api.Problem{Code: code})); got != want {
			t.Errorf("%s: got %d, want %d", code, got, want)
		}
	}
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{input.Errorf("words"), 2},
		{fmt.Errorf("wrapped: %w", input.Wrap(errors.New("words"))), 2},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.err, got, tt.want)
		}
	}
}
