package trunk

import (
	"log/slog"
	"testing"

	"github.com/hashicorp/yamux"
)

// yamux ends nothing by its own clocks: a half-close lasts as long as TCP allows.
func TestYamuxEndsNothingByTime(t *testing.T) {
	t.Parallel()
	c := yamuxConfig(slog.New(slog.DiscardHandler))
	if c.EnableKeepAlive || c.StreamOpenTimeout != 0 || c.StreamCloseTimeout != 0 || c.ConnectionWriteTimeout < WriteTimeout {
		t.Errorf("%+v", c)
	}
	if err := yamux.VerifyConfig(c); err != nil {
		t.Error(err)
	}
}
