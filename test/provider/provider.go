// Package provider runs oidc-provider, a certified OpenID provider from npm, on
// loopback: the second provider of the login stories, independent of the
// embedded one.
//
// Its pages take any login name as the person (an email address is that
// person's verified email; a name that begins with "unverified" is not
// verified) and any password, and then ask for consent.
package provider

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// version is the one that test/scripts/deps.sh installs.
const version = "9.13.3"

//go:embed provider.mjs
var script []byte

// ErrMissing: node or oidc-provider is not installed.
var ErrMissing = errors.New("oidc-provider is not installed (make deps)")

// Provider is a running provider.
type Provider struct {
	Issuer       string
	ClientID     string
	ClientSecret string

	cmd *exec.Cmd
}

// Options say where it listens and whom it serves.
type Options struct {
	Port        int
	RedirectURI string
	// Dir takes the script.
	Dir string
}

// Start runs a provider and waits until it listens. It ends with ctx or Stop.
func Start(ctx context.Context, o Options) (*Provider, error) {
	modules, err := modules()
	if err != nil {
		return nil, err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, errors.Join(ErrMissing, err)
	}
	path := filepath.Join(o.Dir, "provider.mjs")
	if err := os.WriteFile(path, script, 0o600); err != nil {
		return nil, err
	}
	p := &Provider{ClientID: "sallyport", ClientSecret: "a secret for a provider on loopback"}
	p.cmd = exec.CommandContext(ctx, node, path, strconv.Itoa(o.Port), p.ClientID, p.ClientSecret, o.RedirectURI, modules)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(o.Dir, "provider.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd.Stderr = log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start oidc-provider: %w", err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if issuer, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			p.Issuer = issuer
			return p, nil
		}
	}
	p.Stop()
	said, _ := os.ReadFile(log.Name())
	return nil, fmt.Errorf("oidc-provider did not start: %s", said)
}

// Stop ends it and waits.
func (p *Provider) Stop() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// modules is the folder in which deps.sh installed the package.
func modules() (string, error) {
	cache := os.Getenv("SALLYPORT_TEST_CACHE")
	if cache == "" {
		base := os.Getenv("XDG_CACHE_HOME")
		if base == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", err
			}
			base = filepath.Join(home, ".cache")
		}
		cache = filepath.Join(base, "sallyport-test")
	}
	dir := filepath.Join(cache, "oidc-provider-"+version, "node_modules")
	if _, err := os.Stat(filepath.Join(dir, "oidc-provider")); err != nil {
		return "", errors.Join(ErrMissing, err)
	}
	return dir, nil
}
