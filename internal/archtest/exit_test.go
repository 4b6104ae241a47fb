package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestExitCodesAreDocumented holds the table of docs/operating.md against the
// constants of each program, both ways.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	programs := []struct{ name, file string }{
		{"sallyport", "../../ctl/internal/cli/exit.go"},
		{"sallyportd", "../../daemon/main.go"},
		{"sallyport-edge", "../../edge/internal/cli/exit.go"},
	}
	documented := make([][]string, len(programs))
	for _, row := range rowsBelow(t, "../../docs/operating.md", "## Exit codes") {
		for i := range programs {
			switch cell := row[i+2]; cell {
			case "yes":
				documented[i] = append(documented[i], row[0])
			case "-":
			default:
				t.Errorf("code %s: %q is neither yes nor -", row[0], cell)
			}
		}
	}
	for i, p := range programs {
		got, want := slices.Sorted(slices.Values(documented[i])), slices.Sorted(maps.Keys(exitConstants(t, p.file)))
		if !slices.Equal(got, want) {
			t.Errorf("%s ends with %v, docs/operating.md has %v", p.name, want, got)
		}
	}
}

// rowsBelow gives the cells of the first table below a heading.
func rowsBelow(t *testing.T, file, heading string) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(text), heading+"\n")
	if !found {
		t.Fatalf("%s has no %q", file, heading)
	}
	for line := range strings.Lines(below) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("%s has no table below %q", file, heading)
	}
	return rows[2:] // head and rule
}

// exitConstants are the values of the constants of a file whose names begin
// with exit.
func exitConstants(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "exit") && len(spec.Values) == 1 {
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.INT {
				values[lit.Value] = true
			}
		}
		return true
	})
	return values
}
