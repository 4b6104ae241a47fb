package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/audit"
	"github.com/sallyport/sallyport/edge/internal/config"
)

// errProviderKind: the embedded provider cannot come or go in a running edge.
var errProviderKind = errors.New("a change between the embedded and an external provider needs a restart")

// reload reads the config file anew. Everything that may be wrong is tried
// before anything is changed; on an error all stays as it was.
func (r *rooms) reload() error {
	next, err := config.Load(r.path)
	if err != nil {
		return err
	}
	old := r.settings.Load()
	if (old.OIDC == nil) != (next.OIDC == nil) {
		return errProviderKind
	}
	frozen := freeze(old, next)
	provider, err := r.newProvider(next)
	if err != nil {
		return fmt.Errorf("identity provider: %w", err)
	}
	if err := r.certs.Use(next); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	r.settings.Store(next)
	r.provider.Store(provider)
	r.sessions.SetLifetime(next.Session.Lifetime)
	if len(frozen) > 0 {
		r.log.Warn("some settings need a restart; the old ones stay until then", "keys", frozen)
	}
	r.audit.Note(audit.Record{Event: audit.EventConfig, Outcome: audit.OK, Actor: "signal", Detail: keysText(frozen)})
	return nil
}

// freeze gives next the values of old that a running edge cannot change, and
// names those that differed.
func freeze(old, next *config.Config) (keys []string) {
	keep := func(key string, same bool) {
		if !same {
			keys = append(keys, key)
		}
	}
	keep("name", old.Name == next.Name)
	keep("port", old.Port == next.Port)
	keep("id", old.ID == next.ID)
	keep("listen", old.Listen == next.Listen)
	keep("state", old.State == next.State)
	keep("metrics", old.Metrics == next.Metrics)
	keep("audit", old.Audit == next.Audit)
	keep("log", old.Log == next.Log)
	next.Name, next.Port, next.ID, next.Listen = old.Name, old.Port, old.ID, old.Listen
	next.State, next.Metrics, next.Audit, next.Log = old.State, old.Metrics, old.Audit, old.Log
	slices.Sort(keys)
	return keys
}

func keysText(frozen []string) string {
	if len(frozen) == 0 {
		return ""
	}
	return "need a restart: " + strings.Join(frozen, ", ")
}
