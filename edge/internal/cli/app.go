package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/cli/flags"
)

func resumeText(ms int64) string {
	if ms == 0 {
		return "off"
	}
	text := (time.Duration(ms) * time.Millisecond).String()
	return strings.Replace(text, "m0s", "m", 1)
}

func (a *app) appCommand() *cobra.Command {
	return noun("app", "Protected hostnames and who may reach them", a.appAdd(), a.appList(), a.appEdit(), a.appRemove())
}

func (a *app) appAdd() *cobra.Command {
	var in adminapi.AppInput
	var resume flags.Resume
	c := &cobra.Command{
		Use:     "add HOSTNAME --allow WHO [--deny WHO ...]",
		Short:   "Protect a hostname; the first rule that matches decides, and nobody matches nothing",
		Example: "  sallyport-edge app add tcp.site.com --deny email:eve@site.com --allow domain:site.com --contact it@site.com",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in.Hostname, in.ResumeWindowMS = args[0], resume.MS
			edge, err := a.client()
			if err != nil {
				return err
			}
			made, err := edge.AddApp(c.Context(), in)
			if err != nil {
				return err
			}
			if !hasAllow(made.Rules) {
				a.note("note: without a rule that allows, nobody may reach %s", made.Hostname)
			}
			return a.result(made, "added %s", made.Hostname)
		},
	}
	flags.Rules(c.Flags(), &in.Rules)
	c.Flags().StringVar(&in.Contact, "contact", "", "whom to ask, told to people who are denied")
	resume.Into(c.Flags())
	return c
}

func hasAllow(rules []adminapi.Rule) bool {
	for _, r := range rules {
		if r.Action == "allow" {
			return true
		}
	}
	return false
}

func (a *app) appList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the apps",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			apps, err := edge.Apps(c.Context())
			if err != nil {
				return err
			}
			var rows [][]string
			for _, app := range apps {
				rows = append(rows, []string{app.Hostname, rulesText(app.Rules), app.Contact, resumeText(app.ResumeWindowMS), strconv.FormatInt(app.Version, 10), when(app.UpdatedAt)})
			}
			return a.table(apps, "no apps yet: sallyport-edge app add HOSTNAME --allow WHO", []string{"HOSTNAME", "RULES", "CONTACT", "RESUME", "VERSION", "CHANGED"}, rows)
		},
	}
}

func rulesText(rules []adminapi.Rule) string {
	if len(rules) == 0 {
		return "nobody"
	}
	var parts []string
	for _, r := range rules {
		parts = append(parts, r.Action+" "+strings.Join(r.Selectors, " "))
	}
	return strings.Join(parts, ", ")
}

func (a *app) appEdit() *cobra.Command {
	var rules []adminapi.Rule
	var contact string
	var resume flags.Resume
	c := &cobra.Command{
		Use:               "edit HOSTNAME [--allow WHO ...] [--contact TEXT] [--resume-window DURATION]",
		Short:             "Change an app: new rules replace all it had, and cut the streams that they do not allow",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeApps,
		RunE: func(c *cobra.Command, args []string) error {
			patch := adminapi.AppPatch{Rules: rules, ResumeWindowMS: resume.MS}
			if c.Flags().Changed("contact") {
				patch.Contact = &contact
			}
			if patch.Rules == nil && patch.Contact == nil && patch.ResumeWindowMS == nil {
				return usage(errNothing)
			}
			edge, err := a.client()
			if err != nil {
				return err
			}
			app, err := edge.EditApp(c.Context(), args[0], patch)
			if err != nil {
				return err
			}
			return a.result(app, "changed %s: %s", app.Hostname, rulesText(app.Rules))
		},
	}
	flags.Rules(c.Flags(), &rules)
	c.Flags().StringVar(&contact, "contact", "", "whom to ask, told to people who are denied; \"\" takes it away")
	resume.Into(c.Flags())
	return c
}

func (a *app) appRemove() *cobra.Command {
	return &cobra.Command{
		Use:               "rm HOSTNAME",
		Short:             "Remove an app and cut its streams",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeApps,
		RunE: func(c *cobra.Command, args []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			if err := edge.RemoveApp(c.Context(), args[0]); err != nil {
				return err
			}
			return a.result(done{"removed", args[0]}, "removed %s; its streams are cut", args[0])
		},
	}
}
