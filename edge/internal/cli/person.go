package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/cli/flags"
)

var errNothing = errors.New("nothing to change was given")

func (a *app) personCommand() *cobra.Command {
	return noun("person", "People of the embedded provider",
		a.personAdd(), a.personList(), a.personEdit(), a.personPassword(), a.personRemove())
}

func (a *app) personAdd() *cobra.Command {
	var in adminapi.PersonInput
	var password flags.Password
	c := &cobra.Command{
		Use:   "add EMAIL [--name NAME] [--group GROUP ...]",
		Short: "Add a person; a password that is generated is printed this once",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) (err error) {
			in.Email = args[0]
			if in.Password, err = password.Read(a.in); err != nil {
				return err
			}
			edge, err := a.client()
			if err != nil {
				return err
			}
			made, err := edge.AddPerson(c.Context(), in)
			if err != nil {
				return err
			}
			return a.credentials(made, "added "+made.Email)
		},
	}
	c.Flags().StringVar(&in.Name, "name", "", "the person's name")
	c.Flags().StringArrayVar(&in.Groups, "group", nil, "a group of the person (may be repeated); admins may publish everywhere")
	password.Into(c)
	return c
}

// credentials prints a password that was generated, alone on standard output.
func (a *app) credentials(p adminapi.Credentials, what string) error {
	if a.json {
		return a.printJSON(p)
	}
	if p.Password == "" {
		a.note("%s", what)
		return nil
	}
	a.note("%s; the password, told this once:", what)
	return a.line(p.Password)
}

func (a *app) personList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the people",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			people, err := edge.People(c.Context())
			if err != nil {
				return err
			}
			var rows [][]string
			for _, p := range people {
				rows = append(rows, []string{p.Email, p.Name, strings.Join(p.Groups, ", "), when(p.CreatedAt)})
			}
			return a.table(people, "no people yet: sallyport-edge setup-link, or person add EMAIL", []string{"EMAIL", "NAME", "GROUPS", "ADDED"}, rows)
		},
	}
}

func (a *app) personEdit() *cobra.Command {
	var groups []string
	var none bool
	c := &cobra.Command{
		Use:               "edit EMAIL --group GROUP [--group GROUP ...]",
		Short:             "Replace a person's groups; they count at once, and connections that they do not allow end",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completePeople,
		RunE: func(c *cobra.Command, args []string) error {
			if groups == nil && !none {
				return usage(errNothing)
			}
			if groups == nil {
				groups = []string{}
			}
			edge, err := a.client()
			if err != nil {
				return err
			}
			p, err := edge.EditPerson(c.Context(), args[0], adminapi.PersonPatch{Groups: &groups})
			if err != nil {
				return err
			}
			return a.result(p, "changed %s: groups %s", p.Email, strings.Join(p.Groups, ", "))
		},
	}
	c.Flags().StringArrayVar(&groups, "group", nil, "a group of the person (may be repeated)")
	c.Flags().BoolVar(&none, "no-groups", false, "take the person out of every group")
	c.MarkFlagsMutuallyExclusive("group", "no-groups")
	return c
}

func (a *app) personPassword() *cobra.Command {
	var password flags.Password
	c := &cobra.Command{
		Use:               "passwd EMAIL",
		Short:             "Set a person's password; one that is generated is printed this once",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completePeople,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := password.Read(a.in)
			if err != nil {
				return err
			}
			edge, err := a.client()
			if err != nil {
				return err
			}
			p, err := edge.SetPassword(c.Context(), args[0], text)
			if err != nil {
				return err
			}
			return a.credentials(p, "changed the password of "+p.Email)
		},
	}
	password.Into(c)
	return c
}

func (a *app) personRemove() *cobra.Command {
	return &cobra.Command{
		Use:               "rm EMAIL",
		Short:             "Remove a person and end their sessions",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completePeople,
		RunE: func(c *cobra.Command, args []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			if err := edge.RemovePerson(c.Context(), args[0]); err != nil {
				return err
			}
			return a.result(done{"removed", args[0]}, "removed %s; their sessions are over", args[0])
		},
	}
}

func (a *app) setupLinkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "setup-link",
		Short: "Print the link by which the first administrator is made",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			link, err := edge.SetupLink(c.Context())
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(link)
			}
			return a.line(link.URL)
		},
	}
}
