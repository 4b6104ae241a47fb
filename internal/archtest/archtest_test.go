package archtest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestHouse holds the repository to its own rules.
func TestHouse(t *testing.T) {
	t.Parallel()
	found, err := Check(os.DirFS("../.."), House())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// small is a house of a few rooms, so that each planted violation is alone.
func small() Rules {
	r := House()
	r.Module = "example.org/house"
	r.Neighbours = []Neighbour{{"internal/pipe", "internal/sockopt", "sockets"}}
	return r
}

// sound is a tree that breaks no rule.
func sound() fstest.MapFS {
	return planted(map[string]string{
		"api/api.go":                        "// Package api is documented.\npackage api\n\n// X is too.\ntype X int\n\nconst (\n\tA X = iota\n\tB\n)\n",
		"wire/wire.go":                      "// Package wire is documented.\npackage wire\n\nimport _ \"github.com/hashicorp/yamux\"\n",
		"internal/sockopt/sockopt.go":       "// Package sockopt is documented.\npackage sockopt\n\nimport \"runtime\"\n\nvar Reported = runtime.GOOS\n",
		"internal/sockopt/open_linux.go":    "package sockopt\n\nimport \"runtime\"\n\nvar is = runtime.GOOS == \"linux\"\n",
		"internal/pipe/pipe.go":             "// Package pipe is documented.\npackage pipe\n\nimport _ \"example.org/house/internal/sockopt\"\n",
		"daemon/main.go":                    "// Program daemon is documented.\npackage main\n\nimport _ \"example.org/house/daemon/internal/link\"\n",
		"daemon/internal/link/link.go":      "// Package link is documented.\npackage link\n\nimport (\n\t_ \"example.org/house/wire\"\n\t_ \"example.org/house/internal/pipe\"\n)\n",
		"daemon/internal/store/store.go":    "// Package store is documented.\npackage store\n",
		"edge/internal/policy/policy.go":    "// Package policy is documented.\npackage policy\n",
		"daemon/internal/link/link_test.go": "package link\n\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }) }\n",
		"nested/go.mod":                     "module nested\n",
		"nested/bad.go":                     "package nested\n",
	})
}

func planted(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestSoundTree(t *testing.T) {
	t.Parallel()
	found, err := Check(sound(), small())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 0 {
		t.Errorf("a sound tree has violations: %v", found)
	}
}

// TestPlanted plants one violation of each rule in a sound tree and wants to
// see exactly that rule at exactly that file.
func TestPlanted(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\t_ = 0\n", 80)
	cases := []struct {
		rule       Rule
		file, text string
	}{
		{RuleLayer, "daemon/internal/store/up.go", "package store\n\nimport _ \"example.org/house/daemon/internal/agent\"\n"},
		{RuleLayer, "wire/up_test.go", "package wire\n\nimport _ \"example.org/house/internal/pipe\"\n"},
		{RuleNeighbour, "daemon/internal/store/side.go", "package store\n\nimport _ \"example.org/house/daemon/internal/link\"\n"},
		{RuleNeighbour, "internal/sockopt/side.go", "package sockopt\n\nimport _ \"example.org/house/internal/pipe\"\n"},
		{RuleProgram, "daemon/internal/agent/other.go", "// Package agent is documented.\npackage agent\n\nimport _ \"example.org/house/edge/internal/policy\"\n"},
		{RuleContract, "edge/internal/policy/api.go", "package policy\n\nimport _ \"example.org/house/api\"\n"},
		{RuleContract, "ctl/main.go", "// Program ctl is documented.\npackage main\n\nimport _ \"example.org/house/wire\"\n"},
		{RuleModule, "daemon/internal/link/mod.go", "package link\n\nimport _ \"github.com/hashicorp/yamux\"\n"},
		{RuleModule, "daemon/internal/link/mod_test.go", "package link\n\nimport _ \"go.etcd.io/bbolt\"\n"},
		{RuleModule, "daemon/internal/link/new.go", "package link\n\nimport _ \"example.com/never/seen\"\n"},
		{RuleStandard, "api/std.go", "package api\n\nimport _ \"golang.org/x/sys/unix\"\n"},
		{RuleNoLayer, "daemon/internal/attic/attic.go", "// Package attic is documented.\npackage attic\n"},
		{RuleNoLayer, "helpers/helpers.go", "// Package helpers is documented.\npackage helpers\n"},
		{RulePackageDoc, "internal/paths/paths.go", "package paths\n"},
		{RuleExported, "api/naked.go", "package api\n\ntype Naked int\n"},
		{RuleExported, "wire/method.go", "package wire\n\n// T is documented.\ntype T int\n\nfunc (T) Naked() {}\n"},
		{RuleExported, "wire/sub/const.go", "// Package sub is documented.\npackage sub\n\nconst (\n\t// A has a reason.\n\tA = 1\n\n\tNaked = 2\n)\n"},
		{RuleFile, "daemon/internal/link/file_test.go", "package link\n" + strings.Repeat("\n", 600)},
		{RuleFunc, "daemon/internal/link/func.go", "package link\n\nfunc f() {\n" + long + "}\n"},
		{RuleSleep, "daemon/internal/link/nap_test.go", "package link\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n"},
		{RuleSleep, "test/harness/nap.go", "// Package harness is documented.\npackage harness\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n"},
		{RuleGOOS, "daemon/internal/link/goos.go", "package link\n\nimport \"runtime\"\n\nvar is = runtime.GOOS == \"linux\"\n"},
		{RuleGOOS, "daemon/internal/link/goos2.go", "package link\n\nimport \"runtime\"\n\nfunc f() {\n\tswitch runtime.GOOS {\n\t}\n}\n"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s in %s", c.rule, c.file), func(t *testing.T) {
			t.Parallel()
			fsys := sound()
			fsys[c.file] = &fstest.MapFile{Data: []byte(c.text)}
			wantOnly(t, fsys, small(), c.rule, c.file)
		})
	}
}

// TestPlantedPackageSize needs several files, none of which is too large alone.
func TestPlantedPackageSize(t *testing.T) {
	t.Parallel()
	fsys := sound()
	for i := range 3 {
		name := fmt.Sprintf("daemon/internal/link/link%d.go", i)
		fsys[name] = &fstest.MapFile{Data: []byte("package link\n" + strings.Repeat("\n", 550))}
	}
	wantOnly(t, fsys, small(), RulePackage, "daemon/internal/link/link.go")
}

// TestPlantedStale states a reason that nobody needs.
func TestPlantedStale(t *testing.T) {
	t.Parallel()
	r := small()
	r.Neighbours = append(r.Neighbours, Neighbour{"internal/paths", "internal/ipc", "none"})
	wantOnly(t, sound(), r, RuleStale, "internal/archtest/rules.go")
}

func wantOnly(t *testing.T, fsys fstest.MapFS, r Rules, rule Rule, file string) {
	t.Helper()
	found, err := Check(fsys, r)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Rule != rule || found[0].File != file {
		t.Errorf("found %v, want one %s in %s", found, rule, file)
	}
}
