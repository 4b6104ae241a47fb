// Package needs leaves a test out where something that it uses is not installed.
// Where all of it can be had, as `make test` says of root on Debian, such a test
// fails instead: nothing is left out unseen.
//
// It is for tests only.
package needs

import (
	"os"
	"os/exec"
	"testing"
)

// AllEnv is set where nothing may be left out.
const AllEnv = "SALLYPORT_ALL"

// Program gives the path of a program, or leaves the test out.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, name)
	}
	return path
}

// Missing leaves the test out for want of something that can be installed.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv(AllEnv) != "" {
		t.Fatalf("%s is not installed, and %s says that nothing is left out (make deps)", what, AllEnv)
	}
	t.Skipf("skipped: %s is not installed", what)
}
