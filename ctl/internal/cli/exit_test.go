package cli

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	codes := map[api.Code]int{
		api.CodeInvalid: 2, api.CodeNotFound: 6, api.CodeConflict: 6, api.CodePermission: 5, api.CodeInternal: 1, api.CodeNoEdge: 1,
		api.CodeEdgeUnresolved: 1, api.CodeEdgeRefused: 1, api.CodeEdgeTimeout: 1, api.CodeEdgeUnreached: 1, api.CodeEdgeUntrusted: 1,
		api.CodeEdgeProtocol: 1, api.CodeProxy: 1, api.CodeClockWrong: 1, api.CodeLoginNeeded: 3, api.CodeLoginRefused: 3, api.CodeLoginExpired: 3,
		api.CodeLoginAbandoned: 3, api.CodeSessionEnded: 3, api.CodeDenied: 5, api.CodeNoConnector: 1, api.CodeConnectorLost: 1,
		api.CodeOriginRefused: 1, api.CodeOriginTimeout: 1, api.CodeOriginError: 1, api.CodeLimit: 1, api.CodeDraining: 1,
		api.CodePortTaken: 6, api.CodeNotEnrolled: 3, api.CodeHostnameTaken: 6, api.CodeRevoked: 5, api.CodeDaemonDown: 4,
		api.CodeDatabaseLocked: 4, api.CodeUnsupported: 1, api.CodeNoApp: 1, "a code of a later version": 1,
	}
	for code, want := range codes {
		if got := exitCode(fmt.Errorf("wrapped: %w", &api.Problem{Code: code})); got != want {
			t.Errorf("%s: got %d, want %d", code, got, want)
		}
	}
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("any"), 1},
		{input.Errorf("words"), 2},
		{fmt.Errorf("wrapped: %w", input.Wrap(errors.New("words"))), 2},
	} {
		if got := exitCode(tt.err); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.err, got, tt.want)
		}
	}
}

// TestExitCodesOfProblems holds the table of docs/api.md against the code: every
// code of package api stands in it once, beside the exit code that it leads to.
func TestExitCodesOfProblems(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| codes | exit code of `sallyport` |")
	table, _, _ = strings.Cut(table, "\n\n")
	documented := map[string]int{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 4 {
			continue
		}
		exit, err := strconv.Atoi(strings.TrimSpace(cells[2]))
		if err != nil {
			continue // the rule below the head
		}
		for i, word := range strings.Split(cells[1], "`") {
			if _, twice := documented[word]; i%2 == 1 && twice {
				t.Errorf("%s stands in the table twice", word)
			} else if i%2 == 1 {
				documented[word] = exit
			}
		}
	}
	codes := apiCodes(t)
	for _, code := range codes {
		want := exitCode(&api.Problem{Code: code})
		if got, there := documented[string(code)]; !there || got != want {
			t.Errorf("%s: docs/api.md says %d (there: %v), the program %d", code, got, there, want)
		}
	}
	if len(documented) != len(codes) {
		t.Errorf("docs/api.md has %d codes, package api %d", len(documented), len(codes))
	}
}

// apiCodes are the constants of type api.Code, from their source.
func apiCodes(t *testing.T) (codes []api.Code) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../../../api/problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Code") {
			return true
		}
		word, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, api.Code(word))
		return true
	})
	return codes
}
