package archtest

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// Rule names one rule, so that a test can plant a violation of each.
type Rule string

const (
	RuleLayer      Rule = "layer"         // imports go down only
	RuleNeighbour  Rule = "neighbour"     // no imports within a layer without a reason
	RuleProgram    Rule = "program"       // no program imports rooms of another
	RuleContract   Rule = "contract"      // who may know a contract
	RuleModule     Rule = "module"        // one outside module, one room
	RuleStandard   Rule = "standard-only" // no outside module, no room of ours
	RuleNoLayer    Rule = "no-layer"      // a package that has no place in the house
	RuleStale      Rule = "stale"         // a stated reason for an import that is gone
	RulePackageDoc Rule = "package-doc"
	RuleExported   Rule = "exported-doc"
	RuleFile       Rule = "file-size"
	RuleFunc       Rule = "func-size"
	RulePackage    Rule = "package-size"
	RuleSleep      Rule = "sleep" // no time.Sleep in tests
	RuleGOOS       Rule = "goos"  // no runtime.GOOS in logic
)

// Violation is one place where a rule is broken.
type Violation struct {
	Rule Rule
	File string
	Line int
	Text string
}

func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", v.File, v.Line, v.Rule, v.Text)
}

// checker carries what the rules share while a tree is checked.
type checker struct {
	Rules
	*tree
	used  map[Neighbour]bool
	found []Violation
}

// Check reads the module at the root of fsys and returns every violation,
// ordered by file and line. The error is that of reading or parsing.
func Check(fsys fs.FS, r Rules) ([]Violation, error) {
	t, err := parse(fsys)
	if err != nil {
		return nil, err
	}
	c := &checker{Rules: r, tree: t, used: map[Neighbour]bool{}}
	for _, dir := range slices.Sorted(maps.Keys(t.packages)) {
		p := t.packages[dir]
		c.imports(p)
		c.sizes(p)
		c.docs(p)
		c.calls(p)
	}
	c.stale()
	slices.SortFunc(c.found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return c.found, nil
}

func (c *checker) report(r Rule, f string, line int, format string, args ...any) {
	c.found = append(c.found, Violation{r, f, line, fmt.Sprintf(format, args...)})
}

// room gives the room of a package and its layer.
func (c *checker) room(pkg string) (room string, layer int, ok bool) {
	for name, l := range c.Layers {
		if within(pkg, name) && len(name) > len(room) {
			room, layer, ok = name, l, true
		}
	}
	// Each package directly below internal/ is a room of its own.
	if room == "internal" {
		if rest, found := strings.CutPrefix(pkg, "internal/"); found {
			first, _, _ := strings.Cut(rest, "/")
			room = "internal/" + first
		}
	}
	// The main package of a program is its wiring; a folder below it that has
	// no entry of its own is not.
	if ok && slices.Contains(c.Programs, room) && pkg != room {
		return "", 0, false
	}
	return room, layer, ok
}

func (c *checker) program(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	if slices.Contains(c.Programs, first) {
		return first
	}
	return ""
}

func (c *checker) stale() {
	for _, n := range c.Neighbours {
		if !c.used[n] {
			c.report(RuleStale, "internal/archtest/rules.go", 1, "%s no longer imports %s: remove the reason", n.From, n.To)
		}
	}
}
