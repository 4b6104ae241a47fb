package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestModulesAreDecided: a page of docs/decisions says of each module that go.mod
// requires for our own imports why it is there.
func TestModulesAreDecided(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/decisions/*.md")
	if err != nil {
		t.Fatal(err)
	}
	said := ""
	for _, p := range pages {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		said += string(b)
	}
	gomod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for line := range strings.Lines(string(gomod)) {
		path, version, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || !strings.HasPrefix(version, "v") || strings.HasSuffix(version, "// indirect") {
			continue
		}
		looked++
		if !strings.Contains(said, shortName(path)) {
			t.Errorf("no decision names %s (as %s)", path, shortName(path))
		}
	}
	if looked < 10 {
		t.Errorf("%d modules in go.mod", looked)
	}
}

// shortName is how the pages name a module: without its host and version where
// it is on GitHub, "x/NAME" for those of golang.org/x.
func shortName(path string) string {
	if rest, ok := strings.CutPrefix(path, "golang.org/x/"); ok {
		return "x/" + rest
	}
	rest, ok := strings.CutPrefix(path, "github.com/")
	if !ok {
		rest = path
	}
	parts := strings.Split(rest, "/")
	if last := parts[len(parts)-1]; len(parts) > 1 && strings.HasPrefix(last, "v") && last[1] >= '0' && last[1] <= '9' {
		parts = parts[:len(parts)-1]
	}
	return strings.Join(parts, "/")
}
