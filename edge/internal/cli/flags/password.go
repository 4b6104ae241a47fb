package flags

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Password says where a password comes from. Never from an argument: other
// users of the machine can read those.
type Password struct {
	file  string
	stdin bool
}

// Into adds the flags.
func (p *Password) Into(c *cobra.Command) {
	c.Flags().StringVar(&p.file, "password-file", "", "file whose first line is the password; - is standard input (default: one is generated)")
	c.Flags().BoolVar(&p.stdin, "password-stdin", false, "the same as --password-file -")
	c.MarkFlagsMutuallyExclusive("password-file", "password-stdin")
}

// maxPassword is more than the provider takes.
const maxPassword = 4096

// Read gives "" where a password is to be generated.
func (p *Password) Read(stdin io.Reader) (string, error) {
	if p.stdin {
		p.file = "-"
	}
	in := stdin
	switch p.file {
	case "":
		return "", nil
	case "-":
	default:
		f, err := os.Open(p.file)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxPassword)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errors.New("the password's first line is empty")
	}
	return line, nil
}
