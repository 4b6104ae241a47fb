package cli

import (
	"context"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/ctl/internal/cli/input"
	"github.com/sallyport/sallyport/ctl/internal/cli/terminal"
	"github.com/sallyport/sallyport/ctl/internal/cli/view"
)

const noBrowserHelp = "sign in with a browser anywhere, and type the code that it shows"

func (a *app) loginCommand() *cobra.Command {
	var noBrowser bool
	c := &cobra.Command{
		Use:   "login [EDGE]",
		Short: "Sign in to an edge with the browser",
		Long: `Sign in to an edge with the browser.

The URL is always printed. With --no-browser, and by itself in an ssh session or
without a desktop, the page may be opened on any machine; it then shows an
approval code to type here.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeOne(edgeNames),
		RunE: func(c *cobra.Command, args []string) error {
			l, err := a.walk.Login(c.Context(), first(args), noBrowser, api.PurposeSession)
			if err != nil {
				return err
			}
			return a.term.Print(l, func(w io.Writer) {
				if l.Session != nil {
					terminal.Say(w, "Signed in to %s as %s; the session ends %s.", l.Edge, l.Session.Person.Email, view.Until(l.Session.ExpiresAt, a.term.Now()))
					return
				}
				terminal.Say(w, "Signed in to %s.", l.Edge)
			})
		},
	}
	c.Flags().BoolVar(&noBrowser, "no-browser", false, noBrowserHelp)
	return c
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "logout [EDGE]",
		Short:             "Sign out; every stream of the session is cut",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeOne(edgeNames),
		RunE: func(c *cobra.Command, args []string) error {
			active, err := a.activeSessions(c.Context(), first(args))
			if err != nil {
				return err
			}
			for _, s := range active {
				if err := a.walk.Client.EndSession(c.Context(), s.ID); err != nil {
					return err
				}
			}
			return a.term.Print(list(active), func(w io.Writer) {
				for _, s := range active {
					terminal.Say(w, "Signed out from %s (%s).", s.Edge, s.Person.Email)
				}
				if len(active) == 0 {
					a.term.Note("nobody is signed in")
				}
			})
		},
	}
}

func (a *app) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show as whom you are signed in",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			active, err := a.activeSessions(c.Context(), "")
			if err != nil {
				return err
			}
			if len(active) == 0 {
				return &api.Problem{Code: api.CodeLoginNeeded, Title: "Nobody is signed in", Hint: "sallyport login"}
			}
			return a.term.Print(active, func(w io.Writer) {
				for _, s := range active {
					groups := ""
					if len(s.Person.Groups) > 0 {
						groups = ", groups " + strings.Join(s.Person.Groups, " ")
					}
					terminal.Say(w, "%s at %s (session ends %s%s)", s.Person.Email, s.Edge, view.Until(s.ExpiresAt, a.term.Now()), groups)
				}
			})
		},
	}
}

// activeSessions are the sessions that may be used, of one edge or of all.
func (a *app) activeSessions(ctx context.Context, edge string) ([]api.Session, error) {
	if edge != "" {
		var err error
		if edge, err = input.Edge(edge); err != nil {
			return nil, err
		}
	}
	all, err := a.walk.Client.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	var active []api.Session
	for _, s := range all {
		if s.State == api.SessionActive && (edge == "" || s.Edge == edge) {
			active = append(active, s)
		}
	}
	return active, nil
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
