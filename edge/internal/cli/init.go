package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/edge/internal/cli/scaffold"
)

func (a *app) initCommand() *cobra.Command {
	var in scaffold.Input
	c := &cobra.Command{
		Use:   "init --name NAME --site ZONE [--site ZONE ...]",
		Short: "Write a commented edge.yaml, a state directory and a private CA",
		Long: "Write what a new edge needs into a directory: edge.yaml, in which every key stands with its\n" +
			"meaning; the state directory; and, unless certificate files are given, a private CA that can\n" +
			"vouch for this edge and its sites only. Nothing that is there is overwritten without --force.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			res, err := scaffold.Make(in)
			if err != nil {
				return initError(err)
			}
			if a.json {
				return a.printJSON(res)
			}
			return a.line(nextSteps(res, in))
		},
	}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "public host name of the edge (required)")
	f.StringArrayVar(&in.Sites, "site", nil, "DNS zone that the edge serves (required, may be repeated)")
	f.StringVar(&in.Listen, "listen", ":8443", "address of the one public port")
	f.StringVar(&in.Dir, "dir", ".", "directory to write into")
	f.StringVar(&in.State, "state", "", "state directory (default: state in --dir)")
	f.StringVar(&in.Cert, "cert", "", "certificate file (PEM with its chain); else a private CA is made")
	f.StringVar(&in.Key, "key", "", "the certificate's key file (PEM)")
	f.BoolVar(&in.Force, "force", false, "overwrite edge.yaml, and replace the private CA: clients then need the new one")
	return c
}

func initError(err error) error {
	var wrong *scaffold.InputError
	switch {
	case errors.As(err, &wrong):
		return usage(err)
	case errors.Is(err, fs.ErrExist):
		return &hinted{err, "run the edge with: sallyport-edge serve; or overwrite with --force, which also replaces the private CA"}
	}
	return err
}

func nextSteps(res scaffold.Result, in scaffold.Input) string {
	var b strings.Builder
	fmt.Fprintf(&b, "written: %s\nstate:   %s\n", res.Config, res.State)
	use := "sallyport edge use " + strings.TrimPrefix(strings.TrimPrefix(res.URL, "https://"), "http://")
	if res.CA != "" {
		fmt.Fprintf(&b, "CA:      %s\n", res.CA)
		use += " --ca " + res.CA
	}
	fmt.Fprintf(&b, "\nnext:\n  sallyport-edge serve --config %s\n    prints a link: open it, become the first administrator\n", res.Config)
	fmt.Fprintf(&b, "  sallyport-edge app add tcp.%s --allow domain:%s\n", in.Sites[0], in.Sites[0])
	fmt.Fprintf(&b, "on hosts (as administrator, with --machine) and clients:\n  %s", use)
	if res.CA != "" {
		b.WriteString("\n    give them the CA file: daemons check the edge's certificate against it")
	}
	return b.String()
}
