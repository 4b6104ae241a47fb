//go:build linux

package packages

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sallyport/sallyport/internal/manifest"
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
	if distDir == "" {
		t.Skip("needs SALLYPORT_DIST: make packagestest")
	}
	for _, tool := range []string{wineProgram, "msiinfo", "msibuild", "x86_64-w64-mingw32-ld", "x86_64-w64-mingw32-as", "x86_64-w64-mingw32-dlltool"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs ", tool)
		}
	}
	apart(t)
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

// apart gives this test, and what it starts, a network of its own: ports are free
// there, and Wine, which looks through all files of all its processes for each
// socket of the machine, has few sockets to look at. Without root there is none.
func apart(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	lo.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo); err != nil {
		t.Fatal(err)
	}
}

// at is a path of drive C.
func (w *wine) at(path string) string { return filepath.Join(w.dir, "prefix/drive_c", path) }

// tool runs a program of this system and gives what it printed.
func (w *wine) tool(name string, args ...string) string {
	w.Helper()
	out, err := os.CreateTemp(w.dir, "tool-*")
	if err != nil {
		w.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(context.WithoutCancel(w.Context()), name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, w.env, out, out
	err = cmd.Run()
	said, _ := os.ReadFile(out.Name())
	if err != nil {
		w.Errorf("%s: %v: %s", name, err, said)
	}
	return string(said)
}

// run runs a program there. What it prints goes to a file: Wine's own server
// takes over the other end of a pipe, and never closes it.
func (w *wine) run(program string, args ...string) (string, error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), patience)
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

// patience is for a machine that is busy with other things.
const patience = 3 * time.Minute

const (
	programFiles  = "Program Files/Sallyport"
	windowsCtl    = `C:\Program Files\Sallyport\sallyport.exe`
	windowsDaemon = `C:\Program Files\Sallyport\sallyportd.exe`
	uninstallKey  = `HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall`
	runKey        = `HKLM\Software\Microsoft\Windows\CurrentVersion\Run`
	serviceKey    = `HKLM\System\CurrentControlSet\Services\sallyportd`
)

// TestWindowsInstaller is the life of the MSI: installed it runs, the command
// line reaches the service over the pipe (whose owner it checks), a later build
// takes its place and keeps its state, and removed it leaves nothing of its own.
func TestWindowsInstaller(t *testing.T) {
	w := newWine(t)
	w.tool("cp", one(t, "sallyport-*-windows-amd64.msi"), "sallyport.msi")
	version := w.variant("again.msi", 0)
	earlier := w.variant("earlier.msi", -1)
	w.must("msiexec", "/i", "earlier.msi", "/qn")
	w.startsByItself()
	w.says("No edge chosen yet", windowsCtl, "status")
	w.must(windowsCtl, "edge", "use", "edge.site.com")
	w.must(windowsCtl, "forward", "add", "tcp.site.com", "--url", "localhost:9210")
	w.only(earlier)
	for _, msi := range []string{"sallyport.msi", "again.msi"} { // a later build, and another of its version
		w.must("msiexec", "/i", msi, "/qn")
		w.only(version)
		w.startsByItself()
		w.says("localhost:9210", windowsCtl, "forward", "list")
	}
	if out, err := w.run("msiexec", "/i", "earlier.msi", "/qn"); err == nil {
		t.Errorf("an earlier build is installed over a later one: %s", out)
	}
	w.only(version)
	w.must("net", "stop", "sallyportd")
	if out, err := w.run(windowsCtl, "status"); err == nil {
		t.Errorf("status of a stopped service: %s", out)
	}
	w.must("net", "start", "sallyportd")
	w.says("edge.site.com", windowsCtl, "edge", "list")
	w.serviceVerbs()
	w.ownersAlone()
	w.choosesAtLogin()
	w.trayActs()
	w.comesAndGoes()
	w.must("msiexec", "/x", "again.msi", "/qn")
	w.only("")
	if out, err := w.run("sc", "query", "sallyportd"); err == nil {
		t.Errorf("the service is still there: %s", out)
	}
	if out, _ := w.run("reg", "query", runKey); strings.Contains(out, "Sallyport") {
		t.Errorf("the tray still starts at login: %s", out)
	}
	if _, err := os.Stat(w.at(programFiles)); err == nil {
		t.Error("programs are left")
	}
}

// serviceVerbs repeats what the daemon does with its service: what is there stays.
func (w *wine) serviceVerbs() {
	w.Helper()
	w.says("running", windowsDaemon, "service", "status")
	before := w.must("reg", "query", serviceKey)
	// That it serves is not found out: no service is LocalSystem under Wine, whose pipe is asked.
	if out, _ := w.run(windowsDaemon, "service", "install"); !strings.Contains(out, "installed and running already") {
		w.Errorf("a second install: %s", out)
	}
	if after := w.must("reg", "query", serviceKey); after != before {
		w.Errorf("a second install changed the service:\n%s\n%s", before, after)
	}
	w.says("edge.site.com", windowsCtl, "edge", "list")
}

// comesAndGoes takes the service away, twice, and has it come back.
func (w *wine) comesAndGoes() {
	w.Helper()
	w.must(windowsDaemon, "service", "uninstall")
	w.says("not-installed", windowsDaemon, "service", "status")
	w.must(windowsDaemon, "service", "uninstall")
	out, _ := w.run(windowsDaemon, "service", "install") // its error is as of a second install
	w.Log(out)
	w.says("RUNNING", "sc", "query", "sallyportd")
	w.says("edge.site.com", windowsCtl, "edge", "list")
}

var (
	msiVersion = regexp.MustCompile(`(?m)^ProductVersion\t(\d+\.\d+\.)(\d+)`)
	msiCode    = regexp.MustCompile(`(?m)^ProductCode\t[^\r\n]*`)
)

// variant makes of sallyport.msi another build, some versions later, and returns
// its version.
func (w *wine) variant(name string, later int) string {
	w.Helper()
	table := w.tool("msiinfo", "export", "sallyport.msi", "Property")
	m := msiVersion.FindStringSubmatch(table)
	if m == nil {
		w.Fatalf("no version in %s", table)
	}
	third, err := strconv.Atoi(m[2])
	if err != nil {
		w.Fatal(err)
	}
	numbers := func(third int) string { return m[1] + strconv.Itoa(third) }
	version := numbers(third + later)
	table = msiVersion.ReplaceAllString(table, "ProductVersion\t"+version)
	table = msiCode.ReplaceAllString(table, fmt.Sprintf("ProductCode\t{7C0B1E0A-0C0E-4B7C-9C8A-%012X}", third+later))
	related := strings.NewReplacer("\t"+numbers(third)+"\t", "\t"+version+"\t", "\t"+numbers(third+1)+"\t", "\t"+numbers(third+later+1)+"\t").
		Replace(w.tool("msiinfo", "export", "sallyport.msi", "Upgrade"))
	w.tool("cp", "sallyport.msi", name)
	for table, text := range map[string]string{"Property": table, "Upgrade": related} {
		if err := os.WriteFile(filepath.Join(w.dir, table+".idt"), []byte(text), 0o644); err != nil {
			w.Fatal(err)
		}
		w.tool("msibuild", name, "-i", table+".idt")
	}
	return version
}

// only says that one version of the product is installed and no other, or none
// at all where the version is "".
func (w *wine) only(version string) {
	w.Helper()
	out, _ := w.run("reg", "query", uninstallKey, "/s")
	var got []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "DisplayVersion" {
			got = append(got, f[2])
		}
	}
	if strings.Join(got, " ") != version {
		w.Errorf("installed are %q, want %q", got, version)
	}
}

// startsByItself looks at the service, which is running and will be after a boot
// and a crash, and at the tray, which starts at login.
func (w *wine) startsByItself() {
	w.Helper()
	w.says("RUNNING", "sc", "query", "sallyportd")
	const automatic = "0x2"
	if out := w.must("reg", "query", serviceKey, "/v", "Start"); !strings.Contains(out, automatic) {
		w.Errorf("the service does not start at boot: %s", out)
	}
	w.compareWithManifest()
	log, err := os.ReadFile(w.at("ProgramData/Sallyport/log/sallyportd.log"))
	if err != nil {
		w.Error(err)
	}
	// Wine 8 takes what is to be done after a crash, keeps nothing of it, and does not
	// know what is to be done after an error.
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "after a crash") && !strings.Contains(line, "set recovery of sallyportd after an error") {
			w.Errorf("after a crash: %s", line)
		}
	}
}

// compareWithManifest holds what the MSI has put there against the manifest, both ways.
func (w *wine) compareWithManifest() {
	w.Helper()
	var want, got []string
	for _, e := range manifest.MSIEntries() {
		want = append(want, strings.TrimPrefix(e.Path, manifest.WindowsDir+`\`))
	}
	list, err := os.ReadDir(w.at(programFiles))
	if err != nil {
		w.Error(err)
	}
	for _, f := range list {
		got = append(got, f.Name())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Errorf("the MSI has put %q there, the manifest says %q", got, want)
	}
	for _, v := range manifest.MSIValues() {
		if out := w.must("reg", "query", `HKLM\`+v.Key, "/v", v.Name); !strings.Contains(out, v.Text) {
			w.Errorf("%s is %s, the manifest says %s", v.Name, out, v.Text)
		}
	}
}

// ownersAlone connects to the forward from a process that Windows knows, which is
// let in, and from one that it does not, which is cut off.
func (w *wine) ownersAlone() {
	w.Helper()
	const forward = "127.0.0.1:9210"
	w.goTool("build", "-o", filepath.Join(w.dir, "peer.exe"), "./testdata/peer")
	w.says(`"owner_check": "enforced"`, windowsCtl, "forward", "list", "--json")
	stranger, err := net.DialTimeout("tcp4", forward, patience)
	if err != nil {
		w.Fatal(err)
	}
	defer stranger.Close()
	stranger.SetDeadline(time.Now().Add(patience))
	if _, err := stranger.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		w.Errorf("a process of nobody: %v, want a reset", err)
	}
	w.says(`"total_connections": 0`, windowsCtl, "forward", "list", "--json")
	end := w.start("peer.exe", forward)
	defer end()
	w.says(`"waiting": 1`, windowsCtl, "forward", "list", "--json")
}

// choosesAtLogin: a person has the last word on what the machine's key starts for
// everybody, and only for themselves.
func (w *wine) choosesAtLogin() {
	w.Helper()
	w.says("The tray starts when you log in.", windowsCtl, "tray", "autostart")
	w.says("The tray does not start when you log in.", windowsCtl, "tray", "autostart", "off")
	w.says("The tray does not start when you log in.", windowsCtl, "tray", "autostart")
	w.startsByItself()                                                // for others
	w.must(`C:\Program Files\Sallyport\sallyport-tray.exe`, "-login") // it leaves at once
	w.says("The tray starts when you log in.", windowsCtl, "tray", "autostart", "on")
	if out, err := w.run("reg", "query", `HKCU\Software\Sallyport`, "/v", "NoTrayAtLogin"); err == nil {
		w.Errorf("on, and still kept off: %s", out)
	}
}

// start starts a program there, until end is called.
func (w *wine) start(program string, args ...string) (end func()) {
	w.Helper()
	out, err := os.Create(filepath.Join(w.dir, filepath.Base(program)+".out"))
	if err != nil {
		w.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(wineProgram, append([]string{program}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = w.dir, w.env, out, out
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	return sync.OnceFunc(func() { cmd.Process.Kill(); cmd.Wait() })
}

func (w *wine) goTool(args ...string) {
	w.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestWindowsRooms runs there what no other system can run of the rooms that have
// a part of Windows. Over IPv6 Wine knows no process of a socket.
func TestWindowsRooms(t *testing.T) {
	w := newWine(t)
	for room, tests := range map[string]string{
		"daemon/internal/owner":          "^(TestOwnIsAdmitted|TestHalfClosedIsAdmittedAndClosedIsUnknown)$/^IPv4$|^(TestListenerOnThePeersPortIsNotThePeer|TestNoSocket)$",
		"daemon/internal/store":          "^(TestAccessListIsPrivate|TestOthersDirectory)$",
		"daemon/internal/forward/holder": "^TestProgramIsNamed$",
	} {
		w.goTool("test", "-c", "-o", filepath.Join(w.dir, "room.exe"), "github.com/sallyport/sallyport/"+room)
		if out := w.must("room.exe", "-test.v", "-test.run", tests); !strings.Contains(out, "--- PASS") || strings.Contains(out, "no tests to run") {
			t.Errorf("%s: %s", room, out)
		}
	}
}
