package holder

import (
	"os"
	"path/filepath"
	"testing"
)

func TestProgramIsNamed(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := Holder{socket: uint64(os.Getpid())}
	findProgram(&h)
	if h.PID != os.Getpid() || h.Program != filepath.Base(exe) {
		t.Errorf("%+v, want %d and %s", h, os.Getpid(), filepath.Base(exe))
	}
	none := Holder{}
	if findProgram(&none); none != (Holder{}) {
		t.Errorf("no socket: %+v", none)
	}
}
