package paths

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSockets(t *testing.T) {
	t.Parallel()
	own := func() (string, error) { return "/own", nil }
	none := func() (string, error) { return "", errors.New("no home") }
	for _, tt := range []struct {
		name, flag, env string
		user            func() (string, error)
		want            []string
	}{
		{name: "flag alone", flag: "/flag", env: "/env", user: own, want: []string{"/flag"}},
		{name: "environment", env: "/env", user: own, want: []string{"/env"}},
		{name: "own, then the machine's", user: own, want: []string{"/own", "/machine"}},
		{name: "no home", user: none, want: []string{"/machine"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := sockets(tt.flag, tt.env, tt.user, "/machine"); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDefaultsAreAbsoluteAndApart(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	state, err := userState()
	if err != nil {
		t.Fatal(err)
	}
	socket, err := userSocket()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{state, machineState()} {
		if !filepath.IsAbs(p) {
			t.Errorf("%q is not absolute", p)
		}
	}
	if state == machineState() || socket == machineSocket() {
		t.Error("a user's daemon shares a place with the machine's")
	}
	if !strings.Contains(strings.ToLower(socket), "sallyport") {
		t.Errorf("socket %q does not carry our name", socket)
	}
}
