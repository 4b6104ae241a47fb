// Package metrics counts what the edge does and serves it, with health, on a
// listener of its own: /metrics (Prometheus), /livez and /readyz.
package metrics
