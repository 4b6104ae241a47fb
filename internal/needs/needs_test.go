package needs

import (
	"os"
	"strings"
	"testing"
)

// recorder notes how a test would end.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()                   {}
func (r *recorder) Fatalf(f string, a ...any) { r.end("failed: " + f) }
func (r *recorder) Skipf(f string, a ...any)  { r.end("skipped: " + f) }
func (r *recorder) end(how string)            { r.ended = how; panic(r) }

// What is missing fails a test only where nothing may be left out. Not parallel:
// it sets the environment.
func TestMissing(t *testing.T) {
	for all, want := range map[string]string{"": "skipped", "1": "failed"} {
		t.Setenv(AllEnv, all)
		r := &recorder{TB: t}
		func() {
			defer func() { recover() }()
			Program(r, "no-such-program-anywhere")
		}()
		if !strings.HasPrefix(r.ended, want) {
			t.Errorf("with %s=%q it %s", AllEnv, all, r.ended)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if Program(t, self) != self {
		t.Error("this program is not found")
	}
}
