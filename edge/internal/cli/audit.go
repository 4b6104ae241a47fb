package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sallyport/sallyport/edge/internal/admin/adminapi"
	"github.com/sallyport/sallyport/edge/internal/audit"
)

func (a *app) auditCommand() *cobra.Command {
	return noun("audit", "The audit log", a.auditTail(), a.auditVerify())
}

func (a *app) auditTail() *cobra.Command {
	var n int
	var follow bool
	c := &cobra.Command{
		Use:   "tail",
		Short: "Print the last audit lines; with --json as they are in the log",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			edge, err := a.client()
			if err != nil {
				return err
			}
			err = edge.Tail(c.Context(), n, follow, func(line []byte) error {
				if a.json {
					return a.line(string(line))
				}
				return a.line(auditText(line))
			})
			if errors.Is(err, context.Canceled) && follow {
				return nil // Ctrl-C is how following ends
			}
			return err
		},
	}
	c.Flags().IntVarP(&n, "lines", "n", 20, "how many lines")
	c.Flags().BoolVarP(&follow, "follow", "f", false, "go on with the lines that come")
	return c
}

// auditOrder are the fields that a person looks for first.
var auditOrder = []string{"actor", "email", "hostname", "reason", "rule", "detail", "object"}

// auditHidden are not for people: they are in the log and in --json.
var auditHidden = []string{"time", "seq", "edge", "event", "outcome", "prev", "hash", "issuer", "subject", "key_hash"}

// auditText is a line of the log for people: time, event, outcome, then what
// else it holds.
func auditText(line []byte) string {
	var r map[string]any
	if err := json.Unmarshal(line, &r); err != nil {
		return clean(string(line))
	}
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(r["time"]))
	stamp := at.Local().Format("2006-01-02 15:04:05")
	if err != nil {
		stamp = fmt.Sprint(r["time"])
	}
	parts := []string{stamp, fmt.Sprint(r["event"]), fmt.Sprint(r["outcome"])}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(r)), func(k string) bool {
		return slices.Contains(auditHidden, k) || slices.Contains(auditOrder, k)
	})
	for _, k := range append(slices.Clone(auditOrder), rest...) {
		if v, ok := r[k]; ok {
			parts = append(parts, k+"="+auditValue(v))
		}
	}
	return clean(strings.Join(parts, "  "))
}

func auditValue(v any) string {
	switch v := v.(type) {
	case string:
		if v == "" || strings.ContainsAny(v, " \"=") {
			return fmt.Sprintf("%q", v)
		}
		return v
	case float64:
		return fmt.Sprintf("%.0f", v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func (a *app) auditVerify() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check that no line of the audit log was changed or removed",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			sum, err := a.verify(c.Context(), file)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(sum)
			}
			return a.line(fmt.Sprintf("good: %d lines, %d to %d, in %d files; the last hash is %s", sum.Lines, sum.FirstSeq, sum.LastSeq, sum.Segments, sum.LastHash))
		},
	}
	c.Flags().StringVar(&file, "file", "", "check this log, without an edge")
	return c
}

// verify asks the edge, or reads the file itself.
func (a *app) verify(ctx context.Context, file string) (adminapi.AuditSummary, error) {
	if file == "" {
		edge, err := a.client()
		if err != nil {
			return adminapi.AuditSummary{}, err
		}
		return edge.Verify(ctx)
	}
	s, err := audit.Inspect(file)
	if err == nil && s.Torn > 0 {
		a.note("note: the last %d bytes are no whole line", s.Torn)
	}
	return adminapi.AuditSummary{Segments: s.Segments, Lines: s.Lines, FirstSeq: s.FirstSeq, LastSeq: s.LastSeq, LastHash: s.LastHash}, err
}
