package origin

import "testing"

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct{ origin, network, address string }{
		{"tcp://localhost:7870", "tcp", "localhost:7870"},
		{"tcp://[::1]:22", "tcp", "[::1]:22"},
		{"tcp://db.internal:5432", "tcp", "db.internal:5432"},
		{"unix:/run/x.sock", "unix", "/run/x.sock"},
		{"unix:run/x.sock", "", ""},
		{"tcp://localhost", "", ""},
		{"tcp://:22", "", ""},
		{"tcp://localhost:0", "", ""},
		{"tcp://localhost:70000", "", ""},
		{"localhost:22", "", ""},
		{"http://localhost:80", "", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		network, address, err := Parse(tt.origin)
		if network != tt.network || address != tt.address || (err == nil) != (tt.network != "") {
			t.Errorf("%q: %q, %q, %v", tt.origin, network, address, err)
		}
	}
}
