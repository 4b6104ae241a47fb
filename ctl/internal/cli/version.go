package cli

import (
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/internal/buildinfo"
)

// versions is what `version --json` prints. Daemon is nil where none answers.
type versions struct {
	Client api.Version  `json:"client"`
	Daemon *api.Version `json:"daemon"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the versions of this program and of the daemon",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v := versions{Client: api.Version{
				Version: buildinfo.Version(), Commit: buildinfo.Commit(), Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
				Features: []string{},
			}}
			daemon, err := a.walk.Client.Version(c.Context())
			if err == nil {
				v.Daemon = &daemon
			}
			if c.Context().Err() != nil {
				return err
			}
			return a.term.Print(v, func(w io.Writer) {
				sayVersion(w, "sallyport", v.Client)
				if v.Daemon == nil {
					a.term.Note(err.Error())
					return
				}
				sayVersion(w, "sallyportd", *v.Daemon)
			})
		},
	}
}

func sayVersion(w io.Writer, program string, v api.Version) {
	commit := ""
	if v.Commit != "" {
		commit = v.Commit + ", "
	}
	terminal.Say(w, "%s %s (%s%s, %s/%s)", program, v.Version, commit, v.Go, v.OS, v.Arch)
}
