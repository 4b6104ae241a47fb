package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/sallyport/sallyport/daemon/internal/seal"
)

const roleEnv = "SALLYPORT_STORE_TEST_ROLE"

// TestMain lets the test binary play the probe, and the writer that is killed.
func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "":
		os.Exit(m.Run())
	case "probe":
		file := os.Args[len(os.Args)-1]
		box, err := seal.OpenKeyFile(filepath.Join(filepath.Dir(file), SealKeyName))
		if err != nil {
			fmt.Println(err)
			os.Exit(ProbeError)
		}
		code, err := Probe(file, box)
		if err != nil {
			fmt.Println(err)
		}
		os.Exit(code)
	case "circles":
		go endOfCircles(50 * time.Millisecond)
		for {
		}
	case "slow":
		<-time.After(time.Hour)
	case "writer":
		writer(os.Args[len(os.Args)-1])
	}
}

// filled makes a healthy database whose backup holds old rows and which itself
// holds new ones.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	write := func(value string) func(*Store) {
		return func(s *Store) {
			for i := range 40 {
				id := fmt.Sprintf("tun_%02d", i)
				must(t, s.Tunnels.Put(id, Tunnel{ID: id, Hostname: value}))
			}
		}
	}
	once(t, dir, write("old"))
	d := acquire(t, dir)
	s, err := d.Open(t.Context(), config(t, dir))
	must(t, err)
	write("new")(s)
	must(t, s.db.Close()) // without the backup of an orderly end
	must(t, d.Close())
	return dir
}

// damages are what is done to the bytes of a database.
func damages() map[string]func(b []byte, r *rand.Rand) []byte {
	page := func(b []byte, r *rand.Rand) []byte { p := r.IntN(len(b) / 4096); return b[p*4096 : (p+1)*4096] }
	return map[string]func(b []byte, r *rand.Rand) []byte{
		"flip": func(b []byte, r *rand.Rand) []byte { b[r.IntN(len(b))] ^= 1 << r.IntN(8); return b },
		"flip in the page heads": func(b []byte, r *rand.Rand) []byte {
			page(b, r)[r.IntN(32)] ^= 1 << r.IntN(8)
			return b
		},
		"truncate":           func(b []byte, r *rand.Rand) []byte { return b[:r.IntN(len(b))] },
		"truncate to a page": func(b []byte, r *rand.Rand) []byte { return b[:4096*(1+r.IntN(len(b)/4096-1))] },
		"empty":              func(b []byte, r *rand.Rand) []byte { return nil },
		"zero page":          func(b []byte, r *rand.Rand) []byte { clear(page(b, r)); return b },
		"garbage page": func(b []byte, r *rand.Rand) []byte {
			for i, p := 0, page(b, r); i < len(p); i++ {
				p[i] = byte(r.Uint32())
			}
			return b
		},
		"another file":  func(b []byte, r *rand.Rand) []byte { return bytes.Repeat([]byte("not a database\n"), 4000) },
		"swapped pages": func(b []byte, r *rand.Rand) []byte { swap(page(b, r), page(b, r)); return b },
	}
}

func swap(a, b []byte) {
	c := bytes.Clone(a)
	copy(a, b)
	copy(b, c)
}

func TestDamagedFileIsReplacedByItsBackup(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	must(t, err)
	const rounds = 8 // seeds of each kind
	for name, damage := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			healthy := filled(t)
			b, err := os.ReadFile(filepath.Join(healthy, dbName))
			must(t, err)
			for seed := range uint64(rounds) {
				dir := t.TempDir()
				for _, f := range []string{SealKeyName, dbName + backupSuffix} {
					copyFile(t, filepath.Join(healthy, f), filepath.Join(dir, f))
				}
				bad := damage(bytes.Clone(b), rand.New(rand.NewPCG(seed, 1)))
				must(t, os.WriteFile(filepath.Join(dir, dbName), bad, 0o600))
				c := config(t, dir)
				if seed%2 == 0 { // else in this process
					c.Probe = ProbeBy("/usr/bin/env", roleEnv+"=probe", exe)
				}
				checkHealed(t, dir, c, bad, fmt.Sprintf("seed %d", seed))
			}
		})
	}
}

// checkHealed opens a damaged directory: it must give the new rows or the old
// ones, whole, and keep the file where it gave the old ones.
func checkHealed(t *testing.T, dir string, c Config, bad []byte, what string) {
	t.Helper()
	d, err := Acquire(t.Context(), dir)
	must(t, err)
	defer d.Close()
	s, err := d.Open(t.Context(), c)
	if err != nil {
		t.Fatalf("%s: does not open: %v", what, err)
	}
	defer s.Close()
	rows, err := s.Tunnels.List()
	if err != nil || len(rows) != 40 {
		t.Fatalf("%s: %d rows, %v", what, len(rows), err)
	}
	for _, r := range rows {
		if r.Hostname != rows[0].Hostname {
			t.Fatalf("%s: old and new rows together", what)
		}
	}
	kept, _ := filepath.Glob(filepath.Join(dir, dbName+damagedSuffix+"*"))
	if rows[0].Hostname == "new" {
		return // what was damaged is used by nobody
	}
	if len(kept) != 1 {
		t.Fatalf("%s: kept %q, want one file", what, kept)
	}
	if b, _ := os.ReadFile(kept[0]); !bytes.Equal(b, bad) {
		t.Errorf("%s: the kept file is not the damaged one", what)
	}
	if f := s.Faults(); len(f) != 2 || !strings.Contains(f[0].Detail, "backup of") || !strings.Contains(f[1].Detail, kept[0]) {
		t.Errorf("%s: faults %v", what, f)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.WriteFile(to, b, 0o600))
}

// A probe that goes in circles has found damage; one that only takes long has not, and
// nothing is put in the file's place.
func TestCirclesAndSlowDisks(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	must(t, err)
	probe := func(role string, timeout time.Duration) error {
		return probeBy(timeout, "/usr/bin/env", roleEnv+"="+role, exe)(t.Context(), "state.db")
	}
	if err := probe("circles", time.Minute); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "in circles") {
		t.Errorf("circles: %v", err)
	}
	if err := probe("slow", 50*time.Millisecond); err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "did not come to an end in 50ms") {
		t.Errorf("slow: %v", err)
	}
}

func TestBackupDamagedToo(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	for _, f := range []string{dbName, dbName + backupSuffix} {
		must(t, os.WriteFile(filepath.Join(dir, f), []byte("garbage"), 0o600))
	}
	s := open(t, dir)
	rows, err := s.Tunnels.List()
	if err != nil || len(rows) != 0 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if kept, _ := filepath.Glob(filepath.Join(dir, dbName+"*"+damagedSuffix+"*")); len(kept) != 2 {
		t.Errorf("kept %q, want both", kept)
	}
}

func TestKilledWhileReplacing(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	must(t, os.Rename(filepath.Join(dir, dbName), filepath.Join(dir, dbName+damagedSuffix+"x")))
	must(t, os.WriteFile(filepath.Join(dir, dbName+".new123"), []byte("half"), 0o600))
	rows, err := open(t, dir).Tunnels.List()
	if err != nil || len(rows) != 40 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.new*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestKeyFileGone(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	must(t, os.Remove(filepath.Join(dir, SealKeyName)))
	s := open(t, dir)
	if rows, err := s.Tunnels.List(); err != nil || len(rows) != 0 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if len(s.Faults()) == 0 {
		t.Error("nobody is told")
	}
}

// TestEitherMetaPageLost takes one of the two pages away that say where everything
// is: bbolt falls back to the other without a word, and nothing may be missing.
func TestEitherMetaPageLost(t *testing.T) {
	t.Parallel()
	for page := range 2 {
		dir := filled(t)
		b, err := os.ReadFile(filepath.Join(dir, dbName))
		must(t, err)
		size := os.Getpagesize()
		clear(b[page*size : (page+1)*size])
		must(t, os.WriteFile(filepath.Join(dir, dbName), b, 0o600))
		s := open(t, dir)
		for i := range 40 {
			id := fmt.Sprintf("tun_%02d", i)
			if row, err := s.Tunnels.Get(id); len(s.Faults()) == 0 && (err != nil || row.Hostname != "new") {
				t.Errorf("without page %d, %s is %q, %v, and nothing is said", page, id, row.Hostname, err)
			}
		}
	}
}

// A row that is put back as it once was is well sealed: the manifest tells.
func TestRowOfThePastIsFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Tunnels.Put("tun_a", Tunnel{Hostname: "old"}))
	var old []byte
	must(t, s.view(func(tx *bolt.Tx) error {
		old = bytes.Clone(tx.Bucket([]byte(bucketTunnels)).Get([]byte("tun_a")))
		return nil
	}))
	must(t, s.Tunnels.Put("tun_a", Tunnel{Hostname: "new"}))
	must(t, s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketTunnels)).Put([]byte("tun_a"), old) }))
	err := s.view(func(tx *bolt.Tx) error { return verify(tx, s.seal, len(migrations)) })
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want ErrDamaged", err)
	}
}

// writer adds rows and says so, until it is killed.
func writer(dir string) {
	box, err := seal.OpenKeyFile(filepath.Join(dir, SealKeyName))
	if err != nil {
		panic(err)
	}
	d, err := Acquire(nilContext(), dir)
	if err != nil {
		panic(err)
	}
	s, err := d.Open(nilContext(), Config{Seal: box, Log: discard()})
	if err != nil {
		panic(err)
	}
	rows, err := s.Tunnels.List()
	if err != nil {
		panic(err)
	}
	fmt.Println("have", len(rows))
	for i := len(rows); ; i++ {
		if err := s.Tunnels.Put(fmt.Sprintf("%06d", i), Tunnel{ID: strconv.Itoa(i)}); err != nil {
			panic(err)
		}
		fmt.Println("wrote", i+1)
	}
}

// TestKilledWriterLosesNothing kills a process at random moments: whatever it
// said is written is there, at the next start of a process that is killed too.
func TestKilledWriterLosesNothing(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	must(t, err)
	dir := t.TempDir()
	acknowledged := 0
	for round := range 30 {
		cmd := exec.CommandContext(t.Context(), exe, dir)
		cmd.Env = append(os.Environ(), roleEnv+"=writer")
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		most := rand.IntN(12) // acknowledgements to wait for; 0: in the start
		buf, said := make([]byte, 1), ""
		for strings.Count(said, "wrote") < most || (said != "" && !strings.HasSuffix(said, "\n")) {
			if _, err := out.Read(buf); err != nil {
				break
			}
			said += string(buf)
		}
		cmd.Process.Signal(syscall.SIGKILL)
		rest, _ := readAll(out)
		cmd.Wait()
		for line := range strings.Lines(said + rest) {
			var word string
			var n int
			if !strings.HasSuffix(line, "\n") {
				continue
			}
			if k, _ := fmt.Sscanf(line, "%s %d", &word, &n); k != 2 {
				t.Fatalf("round %d: the writer said %q", round, line)
			}
			if word == "have" && n < acknowledged {
				t.Fatalf("round %d: %d rows, %d were acknowledged", round, n, acknowledged)
			}
			acknowledged = max(acknowledged, n)
		}
	}
	if acknowledged < 30 {
		t.Errorf("only %d rows were written in all: the test tries nothing", acknowledged)
	}
	rows, err := open(t, dir).Tunnels.List()
	if err != nil || len(rows) < acknowledged {
		t.Errorf("%d rows, %v; %d were acknowledged", len(rows), err, acknowledged)
	}
}
