package logging

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestNew(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		config  Config
		debug   bool
		json    bool
		wantErr string
	}{
		{name: "zero value"},
		{name: "debug", config: Config{Level: "debug"}, debug: true},
		{name: "json", config: Config{Format: "JSON"}, json: true},
		{name: "bad level", config: Config{Level: "loud"}, wantErr: `log level "loud"`},
		{name: "bad format", config: Config{Format: "xml"}, wantErr: `log format "xml"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			log, err := New(&b, tt.config)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want %q in it", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			log.Debug("hidden or not")
			if got := b.Len() > 0; got != tt.debug {
				t.Errorf("debug line written: %v, want %v", got, tt.debug)
			}
			b.Reset()
			log.Info("link online", slog.String(KeyEdge, "edge.site.com"))
			if got := json.Valid(b.Bytes()); got != tt.json {
				t.Errorf("line %q is JSON: %v, want %v", b.String(), got, tt.json)
			}
			if !strings.Contains(b.String(), "edge.site.com") {
				t.Errorf("line %q lacks its attribute", b.String())
			}
		})
	}
}
