package manual

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestPage(t *testing.T) {
	t.Parallel()
	run := func(*cobra.Command, []string) {}
	root := &cobra.Command{Use: "prog", Short: "Does things", Long: "It does.\n.oddly"}
	root.PersistentFlags().String("socket", "", "the `PATH` to use")
	noun := &cobra.Command{Use: "noun", Short: "Nouns"}
	verb := &cobra.Command{Use: "add NAME", Short: "Add one", Run: run}
	verb.Flags().Bool("dry-run", false, "only say it")
	noun.AddCommand(verb, &cobra.Command{Use: "secret", Hidden: true, Run: run})
	root.AddCommand(noun)
	page := string(Page(root))
	for _, want := range []string{
		".TH PROG 1", `prog \- does things`, "\\&.oddly", `.B \-\-socket PATH`, `.SS "prog noun add NAME [flags]"`, "Add one.", `.B \-\-dry\-run`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "secret") {
		t.Error("a hidden command is in the page")
	}
}
