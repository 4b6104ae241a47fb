// Package manual writes a program's commands as a man page. Only the programs
// that make pages for the packages import it, none that is shipped.
//
// Units and limits: the page is roff with the macros of man(7); it holds the
// whole tree of commands, since people search a page and not a shelf of them.
package manual

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Page is the man page of a tree of commands, for section 1.
func Page(root *cobra.Command) []byte {
	var b bytes.Buffer
	name := root.Name()
	fmt.Fprintf(&b, ".TH %s 1 \"\" Sallyport \"User Commands\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), escape(name), escape(first(root.Short)))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.I COMMAND\n[ARGUMENT ...] [FLAG ...]\n", escape(name))
	if root.Long != "" {
		b.WriteString(".SH DESCRIPTION\n")
		verbatim(&b, root.Long)
	}
	if flags := root.PersistentFlags(); flags.HasAvailableFlags() {
		b.WriteString(".SH FLAGS OF EVERY COMMAND\n")
		writeFlags(&b, flags)
	}
	b.WriteString(".SH COMMANDS\n")
	writeCommands(&b, root)
	return b.Bytes()
}

func writeCommands(b *bytes.Buffer, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		if c.HasAvailableSubCommands() {
			writeCommands(b, c)
			if !c.LocalNonPersistentFlags().HasAvailableFlags() {
				continue
			}
		}
		fmt.Fprintf(b, ".SS \"%s\"\n", escape(c.UseLine()))
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		verbatim(b, text)
		if c.Example != "" {
			b.WriteString(".PP\nExample:\n.PP\n")
			verbatim(b, c.Example)
		}
		writeFlags(b, c.LocalNonPersistentFlags())
	}
}

func writeFlags(b *bytes.Buffer, flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(b, ".TP\n.B \\-\\-%s %s\n%s\n", escape(f.Name), escape(value), escape(usage))
	})
}

// verbatim keeps the lines as their author set them.
func verbatim(b *bytes.Buffer, text string) {
	b.WriteString(".nf\n")
	for line := range strings.Lines(text) {
		b.WriteString(escape(strings.TrimRight(line, "\n")) + "\n")
	}
	b.WriteString(".fi\n")
}

func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "→", "\\->").Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// first is a sentence's first letter in lower case, as NAME has it.
func first(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
