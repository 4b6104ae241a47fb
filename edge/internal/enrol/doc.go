// Package enrol keeps who may publish: connectors (enrolled hosts), the
// hostnames that groups of them have claimed, and join tokens.
//
// Shapes: a Connector is a device key with a site, a scope of hostnames and a
// group; replicas share a group. A claim gives a hostname to one group, and is
// given back when the last connector of the group is revoked. A Token lets
// unattended hosts enrol, a counted number of times until it expires; only the
// SHA-256 of its secret is kept.
//
//	connectors/ID       Connector, revoked ones too
//	connector-keys/KEY  the id of the key's live connector
//	claims/HOSTNAME     claim
//	join-tokens/SHA256  Token
//
// Errors: a refusal that a person is to read is a *wire.Reason.
//
// Concurrency: all methods may be called from any goroutine. Changes are made
// one at a time and are compare-and-swap in the store. Hooks run on the
// goroutine of Revoke, without a lock held.
//
// Source: protocol rules 27 and 20; design section 6.
package enrol
