package enrol

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// MaxClaims bounds the hostnames of one connector group: as many as one host may
// have tunnels.
const MaxClaims = 2000

// claim is the row that gives a hostname to one group.
type claim struct {
	Hostname  string    `json:"hostname"`
	Group     string    `json:"group"`
	Connector string    `json:"connector"` // who claimed it first
	At        time.Time `json:"at"`
}

// Claim takes a hostname for the connector's group, or confirms that it has it;
// *wire.Reason (out-of-scope, hostname-taken) on refusal. Of several that ask at
// the same time exactly one group wins.
func (s *Service) Claim(ctx context.Context, c Connector, hostname string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.Get(c.ID)
	if !ok {
		return reason(wire.CodeNotEnrolled, "this machine is no longer enrolled", "sallyport tunnel login")
	}
	if err := s.inScope(c, hostname); err != nil {
		return err
	}
	row := claim{Hostname: hostname, Group: c.Group, Connector: c.ID, At: s.now().UTC()}
	op, err := s.claims.PutOp(hostname, row)
	if err != nil {
		return err
	}
	for {
		held, err := s.claims.Get(ctx, hostname)
		switch {
		case err == nil && held.Group == c.Group:
			return nil
		case err == nil:
			return reason(wire.CodeHostnameTaken, hostname+" is published by another connector group",
				"enrol this machine with a join token of that group, or have its connector revoked")
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
		if err := s.full(ctx, c.Group); err != nil {
			return err
		}
		res, err := s.store.Txn(ctx, store.Txn{
			Compare: []store.Compare{store.Missing(s.claims.Key(hostname))}, Then: []store.Op{op},
		})
		if err != nil {
			return fmt.Errorf("claim %s: %w", hostname, err)
		}
		if res.Succeeded {
			s.claimed[c.Group]++
			s.tellClaimed(c, hostname)
			return nil
		}
	}
}

// full says that a group has claimed as much as it may. Called with mu held.
func (s *Service) full(ctx context.Context, group string) error {
	if s.claimed == nil {
		rows, err := s.claims.List(ctx)
		if err != nil {
			return err
		}
		s.claimed = make(map[string]int)
		for _, row := range rows {
			s.claimed[row.Group]++
		}
	}
	if s.claimed[group] < MaxClaims {
		return nil
	}
	return &wire.Reason{
		Code: wire.CodeLimit, Text: fmt.Sprintf("the hosts of this group have claimed %d hostnames, the most there may be", MaxClaims),
		Hint: "enrol another host, in a group of its own",
	}
}

// OnClaimed adds a hook for every claim that is made; it must not block or call
// the service. Call it before the first Claim.
func (s *Service) OnClaimed(hook func(c Connector, hostname string)) {
	s.rows.Lock()
	defer s.rows.Unlock()
	s.taken = append(s.taken, hook)
}

func (s *Service) tellClaimed(c Connector, hostname string) {
	s.rows.RLock()
	defer s.rows.RUnlock()
	for _, hook := range s.taken {
		hook(c, hostname)
	}
}

func (s *Service) inScope(c Connector, hostname string) error {
	if !validName(hostname, false) {
		return reason(wire.CodeInvalid, quote(hostname)+" is not a hostname", "write it in lower case, like tcp."+c.Site)
	}
	if _, err := s.site(c.Site); err != nil || s.zoneOf(hostname) != c.Site {
		return reason(wire.CodeOutOfScope, hostname+" is outside the site "+c.Site+" that this machine is enrolled for",
			"enrol it for the right site: sallyport tunnel login")
	}
	if !slices.ContainsFunc(c.Hostnames, func(g string) bool { return matches(g, hostname) }) {
		return reason(wire.CodeOutOfScope, "this machine may publish only "+strings.Join(c.Hostnames, ", "),
			"enrol it for more: sallyport tunnel login")
	}
	return nil
}

// Claims returns which group holds which hostname.
func (s *Service) Claims(ctx context.Context) (map[string]string, error) {
	rows, err := s.claims.List(ctx)
	if err != nil {
		return nil, err
	}
	groups := make(map[string]string, len(rows))
	for _, c := range rows {
		groups[c.Hostname] = c.Group
	}
	return groups, nil
}

// release gives back the claims of a group that has no live connector. What
// fails is given back by the next start.
func (s *Service) release(ctx context.Context, group string) {
	if s.groups()[group] {
		return
	}
	if err := s.sweepClaims(ctx); err != nil {
		s.log.Warn("claims of a revoked group are kept until the next start", "group", group, "error", err)
	}
}

// sweepClaims deletes claims of groups without a live connector.
func (s *Service) sweepClaims(ctx context.Context) error {
	rows, err := s.claims.List(ctx)
	if err != nil {
		return err
	}
	s.claimed = nil // counted anew
	groups := s.groups()
	for _, c := range rows {
		if groups[c.Group] {
			continue
		}
		if err := s.claims.Delete(ctx, c.Hostname); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return nil
}

// groups are those with a live connector.
func (s *Service) groups() map[string]bool {
	s.rows.RLock()
	defer s.rows.RUnlock()
	groups := make(map[string]bool, len(s.live))
	for _, c := range s.live {
		groups[c.Group] = true
	}
	return groups
}
