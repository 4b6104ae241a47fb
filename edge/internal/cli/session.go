package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
)

func (a *app) sessionCommand() *cobra.Command {
	return noun("session", "People who are signed in", a.sessionList(), a.sessionRevoke())
}

func (a *app) sessionList() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the sessions, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			list, err := edge.Sessions(c.Context(), all)
			if err != nil {
				return err
			}
			var rows [][]string
			for _, s := range list {
				device := s.DeviceName
				if s.OSUser != "" {
					device = s.OSUser + "@" + device
				}
				rows = append(rows, []string{s.ID, s.Email, device, s.From, when(s.StartedAt), endText(s.EndedAt, s.End, s.ExpiresAt)})
			}
			return a.table(list, "nobody is signed in", []string{"ID", "PERSON", "DEVICE", "FROM", "SINCE", "UNTIL"}, rows)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "those that are over, too")
	return c
}

// endText is until when something counts, or why it does not.
func endText(ended *time.Time, why *adminapi.End, until time.Time) string {
	if ended == nil {
		return when(until)
	}
	if why == nil {
		return "ended " + when(*ended)
	}
	return why.Code + " " + when(*ended)
}

func (a *app) sessionRevoke() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "revoke ID|EMAIL",
		Short: "End a session, or all of a person, and cut their streams",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			ended, err := edge.RevokeSession(c.Context(), args[0], reason)
			if err != nil {
				return err
			}
			return a.result(ended, "ended: %s", strings.Join(ended.Sessions, ", "))
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, shown to the person")
	return c
}

func (a *app) connectorCommand() *cobra.Command {
	return noun("connector", "Hosts that are enrolled", a.connectorList(), a.connectorRevoke())
}

func (a *app) connectorList() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "list",
		Short: "List the connectors",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			list, err := edge.Connectors(c.Context(), all)
			if err != nil {
				return err
			}
			var rows [][]string
			for _, n := range list {
				rows = append(rows, []string{n.ID, n.DeviceName, n.Site, strings.Join(n.Hostnames, ", "), n.Group, n.By, when(n.CreatedAt), endText(n.RevokedAt, n.End, time.Time{})})
			}
			return a.table(list, "no host is enrolled: sallyport tunnel login, or sallyport-edge token new",
				[]string{"ID", "DEVICE", "SITE", "HOSTNAMES", "GROUP", "BY", "SINCE", "ENDED"}, rows)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "those that were revoked, too")
	return c
}

func (a *app) connectorRevoke() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "revoke ID",
		Short: "End a host's enrolment and cut its streams",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			if err := edge.RevokeConnector(c.Context(), args[0], reason); err != nil {
				return err
			}
			return a.result(done{"revoked", args[0]}, "revoked %s; its streams are cut", args[0])
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, shown at the host")
	return c
}

func (a *app) streamCommand() *cobra.Command {
	return noun("stream", "Live connections", a.streamList(), a.streamCut())
}

func (a *app) streamList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the live streams, the oldest first",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			list, err := edge.Streams(c.Context())
			if err != nil {
				return err
			}
			var rows [][]string
			for _, s := range list {
				host := s.Hostname
				if s.Port != 0 {
					host += ":" + strconv.Itoa(int(s.Port))
				}
				rows = append(rows, []string{s.ID, s.Email, s.Device, s.Address, host, s.Connector, s.Rule, when(s.StartedAt), streamState(s.Parked)})
			}
			return a.table(list, "no live streams", []string{"ID", "PERSON", "DEVICE", "FROM", "HOSTNAME", "CONNECTOR", "RULE", "SINCE", "STATE"}, rows)
		},
	}
}

func streamState(parked bool) string {
	if parked {
		return "parked"
	}
	return "live"
}

func (a *app) streamCut() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use:   "cut ID",
		Short: "End one stream at once",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			if err := edge.CutStream(c.Context(), args[0], reason); err != nil {
				return err
			}
			return a.result(done{"cut", args[0]}, "cut %s", args[0])
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, shown to the person")
	return c
}
