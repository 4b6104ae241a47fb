package relay

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/enrol"
	"github.com/sallyport/sallyport/edge/internal/policy"
	"github.com/sallyport/sallyport/edge/internal/registry"
	"github.com/sallyport/sallyport/edge/internal/relay/decide"
	"github.com/sallyport/sallyport/wire"
)

// maxTunnels bounds one table; what fits into a message is below it.
const maxTunnels = 2000

// setHost makes the link an instance of a connector. A link that is one already
// keeps its instance, so that what was offered to it stays valid.
func (p *peer) setHost(c enrol.Connector) {
	p.relay.mu.Lock()
	defer p.relay.mu.Unlock()
	if p.host == nil || p.host.Connector != c.ID {
		p.host = &registry.Host{Connector: c.ID, Key: p.key, BootID: p.bootID, Send: p.link.Send}
	}
}

// unsetHost ends the link's being an instance of a connector, and returns the
// instance; nil where it is none of that connector.
func (p *peer) unsetHost(connector string) *registry.Host {
	p.relay.mu.Lock()
	defer p.relay.mu.Unlock()
	host := p.host
	if host == nil || host.Connector != connector {
		return nil
	}
	p.host = nil
	return host
}

// enrol takes a join token.
func (p *peer) enrol(ctx context.Context, req uint32, m *wire.Enrol) {
	if p.role != wire.RoleHost {
		p.fail(req, wrongRole())
		return
	}
	c, err := p.relay.cfg.Enrol.Join(ctx, p.key, m.Token, p.deviceName)
	if err != nil {
		p.relay.auditJoin(p, enrol.Connector{}, err)
		p.fail(req, err)
		return
	}
	p.relay.auditJoin(p, c, nil)
	p.enrolled(ctx, c)
	p.answer(req, &wire.Enrolled{Connector: p.relay.cfg.Enrol.Info(c)})
}

// enrolled makes the link that of a connector; what it serves is looked at again.
func (p *peer) enrolled(ctx context.Context, c enrol.Connector) {
	p.setHost(c)
	p.bind(true)
	p.publish(ctx, p.tunnels)
}

// register takes the host's whole table.
func (p *peer) register(ctx context.Context, req uint32, m *wire.Register) {
	switch {
	case p.role != wire.RoleHost:
		p.fail(req, wrongRole())
	case len(m.Tunnels) > maxTunnels:
		p.fail(req, &wire.Reason{Code: wire.CodeLimit, Text: "too many tunnels on one host"})
	default:
		p.tunnels = m.Tunnels
		p.answer(req, registered(p.publish(ctx, m.Tunnels)))
	}
}

// registered is the answer to a table; where it is too large for a message its
// reasons are told by their codes alone.
func registered(results []wire.RegisterResult) wire.Message {
	m := &wire.Registered{Results: results}
	if text, err := json.Marshal(m); err == nil && len(text) < wire.MaxMessage-16 { // 16 is more than the frame's header
		return m
	}
	for i := range results {
		results[i].Reason, results[i].Note = decide.Short(results[i].Reason), decide.Short(results[i].Note)
	}
	return m
}

// publish claims hostnames and routes those that are this connector's.
func (p *peer) publish(ctx context.Context, tunnels []wire.TunnelInfo) []wire.RegisterResult {
	r := p.relay
	c, ok := r.cfg.Enrol.ByKey(p.key)
	results := make([]wire.RegisterResult, 0, len(tunnels))
	routed := make([]wire.TunnelInfo, 0, len(tunnels))
	seen := make(map[string]bool, len(tunnels))
	for _, t := range tunnels {
		res := wire.RegisterResult{Hostname: t.Hostname, Reason: notEnrolled()}
		if ok {
			t.Hostname, res.Reason = r.claim(ctx, c, t.Hostname)
		}
		if res.Reason == nil && !seen[t.Hostname] {
			seen[t.Hostname] = true
			routed = append(routed, t)
		}
		if _, open := r.cfg.Apps.Get(t.Hostname); res.Reason == nil && !open {
			res.Note = decide.NoApp(t.Hostname)
		}
		results = append(results, res)
	}
	if ok {
		r.route(p, routed)
	}
	return results
}

// route writes the table, unless the link or its connector has ended meanwhile.
func (r *Relay) route(p *peer, routed []wire.TunnelInfo) {
	host := p.Host()
	if host == nil {
		return
	}
	r.cfg.Registry.Set(host, routed)
	r.mu.Lock()
	gone := p.gone || p.host != host || r.peers[p.key] != p
	r.mu.Unlock()
	if gone {
		r.cfg.Registry.Remove(host)
	}
}

func (r *Relay) claim(ctx context.Context, c enrol.Connector, hostname string) (string, *wire.Reason) {
	name, err := policy.Normalise(hostname)
	if err != nil {
		return "", &wire.Reason{Code: wire.CodeInvalid, Text: decide.Clip(hostname) + " is not a hostname"}
	}
	err = r.cfg.Enrol.Claim(ctx, c, name)
	var why *wire.Reason
	switch {
	case err == nil:
		return name, nil
	case errors.As(err, &why):
		return name, why
	}
	r.log.Error("hostname not claimed", "app", name, "connector", c.ID, "error", err)
	return name, decide.Internal()
}

// auditJoin writes what became of a join token.
func (r *Relay) auditJoin(p *peer, c enrol.Connector, err error) {
	rec := audit.Record{
		Event: audit.EventTokenUsed, Outcome: audit.OK, Object: c.By,
		KeyHash: p.key.String(), DeviceName: p.deviceName, DaemonAddress: p.address.String(),
	}
	if err != nil {
		rec.Outcome, rec.Reason = audit.Refused, codeOf(err)
		r.cfg.Audit.Note(rec)
		return
	}
	r.cfg.Audit.Note(rec)
	r.auditConnector(p, c)
}

func (r *Relay) auditConnector(p *peer, c enrol.Connector) {
	r.cfg.Audit.Note(audit.Record{
		Event: audit.EventConnectorCreated, Outcome: audit.OK, Actor: c.By,
		Connector: c.ID, Object: c.ID, Group: c.Group, Site: c.Site, Hosts: c.Hostnames,
		KeyHash: c.Key.String(), DeviceName: c.DeviceName, DaemonAddress: p.address.String(),
	})
	r.log.Info("connector enrolled", "connector", c.ID, "site", c.Site, "key", c.Key, "person", c.By)
}

func codeOf(err error) string {
	var why *wire.Reason
	if errors.As(err, &why) {
		return string(why.Code)
	}
	return string(wire.CodeInternal)
}

func wrongRole() *wire.Reason {
	return &wire.Reason{Code: wire.CodeInvalid, Text: "a link of this role may not ask for that"}
}

func notEnrolled() *wire.Reason {
	return &wire.Reason{
		Code: wire.CodeNotEnrolled, Text: "this machine is not enrolled as a host",
		Hint: "sallyport tunnel login",
	}
}
