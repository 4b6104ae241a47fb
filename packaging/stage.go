package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/internal/manifest"
)

//go:embed files
var files embed.FS

// stage puts what is not built beside the programs of each system.
func (r *release) stage(ctx context.Context) error {
	shared, err := r.shared(ctx)
	if err != nil {
		return err
	}
	for _, t := range r.targets() {
		if t.goos == "windows" {
			continue
		}
		for name, text := range shared {
			path := filepath.Join(r.dir(t), filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, text, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// shared is what is the same for every system, by its place in the payload.
func (r *release) shared(ctx context.Context) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, s := range manifest.Services("linux") {
		out["share/"+s.Name+".service"] = []byte(s.UnitText())
	}
	for to, from := range map[string]string{
		"share/sallyport-tray.desktop": "sallyport-tray.desktop", "share/sallyport-tray-autostart.desktop": "sallyport-tray-autostart.desktop",
		"share/sallyport.svg": "sallyport.svg", "share/copyright": "copyright",
		"share/lintian/sallyport": "lintian-sallyport", "share/lintian/sallyport-tray": "lintian-sallyport-tray", "share/lintian/sallyport-edge": "lintian-sallyport-edge",
	} {
		text, err := files.ReadFile("files/" + from)
		if err != nil {
			return nil, err
		}
		out[to] = text
	}
	for to, from := range map[string]string{"LICENSE": "LICENSE", "README.md": "README.md"} {
		text, err := os.ReadFile(from)
		if err != nil {
			return nil, err
		}
		out[to] = text
	}
	for _, p := range manifest.Parts {
		text, err := zipped(r.debianChangelog(p))
		if err != nil {
			return nil, err
		}
		out["share/changelog/"+string(p)+".gz"] = text
	}
	if err := r.pages(ctx, out); err != nil {
		return nil, err
	}
	return out, r.completions(ctx, out)
}

// debianChangelog is in dpkg's form; what changed for people is in CHANGELOG.md.
func (r *release) debianChangelog(p manifest.Part) []byte {
	return fmt.Appendf(nil, "%s (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md of this release.\n\n -- %s  %s\n",
		p, r.packageVersion(), maintainer, r.epoch.Format(time.RFC1123Z))
}

// maintainer is who packages name.
const maintainer = "Sallyport <packages@sallyport.example>"

// pages are the man pages: written by hand for what has a handful of flags, made
// from the commands for the others.
func (r *release) pages(ctx context.Context, out map[string][]byte) error {
	for _, name := range []string{"sallyportd.8", "sallyport-tray.1"} {
		text, err := files.ReadFile("files/" + name)
		if err != nil {
			return err
		}
		if out["share/man/"+name+".gz"], err = zipped(text); err != nil {
			return err
		}
	}
	for name, folder := range map[string]string{"sallyport.1": "./ctl/internal/cli/manual", "sallyport-edge.1": "./edge/internal/cli/manual"} {
		text, err := r.output(ctx, nil, r.goTool, "run", folder)
		if err != nil {
			return err
		}
		if out["share/man/"+name+".gz"], err = zipped(text); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) completions(ctx context.Context, out map[string][]byte) error {
	for _, p := range []program{ctl, edge} {
		for _, shell := range []string{"bash", "zsh", "fish"} {
			text, err := r.output(ctx, nil, r.native(p), "completion", shell)
			if err != nil {
				return err
			}
			out["share/completions/"+p.name+"."+shell] = text
		}
	}
	return nil
}

// zipped is gzip without name and time, as packages want it.
func zipped(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	// Level 9 is written down in byte 8 by gzip -9; lintian looks there.
	b.Bytes()[8] = 2
	return b.Bytes(), nil
}
