//go:build linux

package packages

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const wineProgram = "/usr/lib/wine/wine64"

// wine is a Windows of its own directory, as far as Wine is one. Its users are
// all one user of this system: it shows that programs run there, and not that
// anybody is kept out.
type wine struct {
	*testing.T
	dir string
	env []string
}

// newWine makes one that Go programs run on: Debian's Wine lacks the library
// that they take random numbers from, which is made here, of names only.
func newWine(t *testing.T) *wine {
	t.Helper()
	for _, tool := range []string{wineProgram, "x86_64-w64-mingw32-ld", "x86_64-w64-mingw32-as", "x86_64-w64-mingw32-dlltool"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs ", tool)
		}
	}
	dir := t.TempDir()
	w := &wine{T: t, dir: dir, env: append(os.Environ(), "WINEPREFIX="+filepath.Join(dir, "prefix"), "WINEDEBUG=-all", "WINEARCH=win64", "WINEDLLOVERRIDES=mscoree,mshtml=")}
	t.Cleanup(func() { w.tool("/usr/lib/wine/wineserver64", "-k") })
	w.must("wineboot", "-i")
	w.tool("/usr/lib/wine/wineserver64", "-w") // what wineboot began goes on after it
	w.tool("/usr/lib/wine/wineserver64", "-p") // else it leaves when idle, and the next command boots it
	for name, text := range map[string]string{"b.def": "LIBRARY bcryptprimitives.dll\nEXPORTS\n  ProcessPrng = ADVAPI32.SystemFunction036\n", "e.s": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.tool("x86_64-w64-mingw32-dlltool", "-d", "b.def", "-e", "b.o")
	w.tool("x86_64-w64-mingw32-as", "-o", "e.o", "e.s")
	w.tool("x86_64-w64-mingw32-ld", "-shared", "--image-base", "0x6b000000", "-e", "0", "-o", w.at("windows/system32/bcryptprimitives.dll"), "b.o", "e.o")
	return w
}

// at is a path of drive C.
func (w *wine) at(path string) string { return filepath.Join(w.dir, "prefix/drive_c", path) }

func (w *wine) tool(name string, args ...string) {
	w.Helper()
	out, err := os.CreateTemp(w.dir, "tool-*")
	if err != nil {
		w.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(context.WithoutCancel(w.Context()), name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, w.env, out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		w.Errorf("%s: %v: %s", name, err, said)
	}
}

// run runs a program there. What it prints goes to a file: Wine's own server
// takes over the other end of a pipe, and never closes it.
func (w *wine) run(program string, args ...string) (string, error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	out, err := os.CreateTemp(w.dir, "out-*")
	if err != nil {
		w.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, wineProgram, append([]string{program}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, w.env, out, out
	err = cmd.Run()
	said, readErr := os.ReadFile(out.Name())
	if readErr != nil {
		w.Fatal(readErr)
	}
	return string(said), err
}

func (w *wine) must(program string, args ...string) string {
	w.Helper()
	out, err := w.run(program, args...)
	if err != nil {
		w.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return out
}

// says waits until a command succeeds with a text: a service of Windows is
// running before it serves.
func (w *wine) says(text, program string, args ...string) {
	w.Helper()
	var out string
	var err error
	for range 20 {
		if out, err = w.run(program, args...); err == nil && strings.Contains(out, text) {
			return
		}
	}
	w.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
}

const programFiles = "Program Files/Sallyport"

// TestWindowsInstaller is the life of the MSI: installed it runs, the command
// line reaches the service over the pipe (whose owner it checks), and removed it
// leaves nothing.
func TestWindowsInstaller(t *testing.T) {
	needed(t)
	w := newWine(t)
	w.tool("cp", one(t, "sallyport-*-windows-amd64.msi"), "sallyport.msi")
	w.must("msiexec", "/i", "sallyport.msi", "/qn")
	if out := w.must("sc", "query", "sallyportd"); !strings.Contains(out, "RUNNING") {
		t.Errorf("the service: %s", out)
	}
	ctl := `C:\Program Files\Sallyport\sallyport.exe`
	w.says("No edge chosen yet", ctl, "status")
	w.must(ctl, "edge", "use", "--machine", "edge.site.com")
	w.must("net", "stop", "sallyportd")
	if out, err := w.run(ctl, "status"); err == nil {
		t.Errorf("status of a stopped service: %s", out)
	}
	w.must("net", "start", "sallyportd")
	w.says("edge.site.com", ctl, "edge", "list")
	w.must("msiexec", "/x", "sallyport.msi", "/qn")
	if out, err := w.run("sc", "query", "sallyportd"); err == nil {
		t.Errorf("the service is still there: %s", out)
	}
	if _, err := os.Stat(w.at(programFiles)); err == nil {
		t.Error("programs are left")
	}
}
