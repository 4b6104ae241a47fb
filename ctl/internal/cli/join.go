package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/api"
)

// maxTokenBytes is far above any join token; a longer file is another file.
const maxTokenBytes = 4096

func (a *app) tunnelJoinCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "join",
		Short: "Make this machine a host, by a one-time join token",
		Long: `Make this machine a host, by a one-time join token.

The token is read from a file or from standard input, never from the command
line, where every user of the machine could read it.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			token, err := a.readToken(c.Context(), file)
			if err != nil {
				return err
			}
			if _, err := a.walk.Edge(c.Context(), "", "", true); err != nil {
				return err
			}
			e, err := a.walk.Client.Enrol(c.Context(), token)
			if err != nil {
				return err
			}
			return a.term.Print(e, func(w io.Writer) { sayEnrolled(w, e.Edge, &e) })
		},
	}
	c.Flags().StringVar(&file, "token-file", "-", `the file with the token, "-" for standard input`)
	return c
}

// readToken reads the token from a file, a pipe, or the person.
func (a *app) readToken(ctx context.Context, file string) (string, error) {
	var b []byte
	var err error
	switch {
	case file == "-" && a.term.Terminal:
		fmt.Fprint(a.term.Err, "Join token: ")
		var line string
		line, err = a.term.Typed(ctx)
		b = []byte(line)
	case file == "-":
		b, err = io.ReadAll(io.LimitReader(a.term.In, maxTokenBytes))
	default:
		b, err = readSmall(file)
	}
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read the join token: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" {
		return "", &api.Problem{Code: api.CodeInvalid, Title: "The join token is empty", Field: "token", Hint: "sallyport tunnel join --token-file FILE"}
	}
	return token, nil
}

func readSmall(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxTokenBytes))
}

func join(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, " ")
}
