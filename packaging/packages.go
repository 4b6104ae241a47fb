package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/sallyport/sallyport/internal/manifest"
)

// about is what a package says of itself.
var about = map[manifest.Part]struct{ synopsis, text, section string }{
	manifest.Daemon: {"reach and publish TCP services behind single sign-on",
		"The daemon and the command line of Sallyport. It publishes services of this\nmachine, and binds local ports to services elsewhere, after a browser login.", "net"},
	manifest.Tray: {"tray icon of Sallyport",
		"Shows in the panel of a desktop whether services can be reached, and signs\nits person in when a connection needs it.", "net"},
	manifest.Edge: {"relay of Sallyport: login, policies, audit",
		"The public relay that an organisation runs. It signs people in with an OpenID\nConnect provider, decides about every connection, and writes the audit.", "net"},
}

// content is a row as nfpm wants it.
type content struct {
	Src      string   `json:"src,omitempty"`
	Dst      string   `json:"dst"`
	Type     string   `json:"type,omitempty"`
	FileInfo fileInfo `json:"file_info"`
}

type fileInfo struct {
	Mode  uint32 `json:"mode"`
	Owner string `json:"owner"`
	Group string `json:"group"`
	MTime string `json:"mtime"`
}

// packages makes each part for each Linux, as deb and as rpm.
func (r *release) packages(ctx context.Context) error {
	for _, t := range r.targets() {
		if t.goos != "linux" {
			continue
		}
		for _, p := range manifest.Parts {
			for _, f := range []manifest.Format{manifest.Deb, manifest.RPM} {
				if err := r.pack(ctx, t, p, f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (r *release) pack(ctx context.Context, t target, p manifest.Part, f manifest.Format) error {
	dir := filepath.Join(r.work, "nfpm", string(p), string(f)+"-"+t.goarch)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	config, err := r.nfpm(t, p, f, dir)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(config, "", "  ") // JSON is YAML
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "nfpm.yaml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return err
	}
	return r.run(ctx, []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.epoch.Unix())},
		r.goTool, "tool", "-modfile=tools/go.mod", "nfpm", "package", "--config", file, "--packager", string(f), "--target", r.out)
}

func (r *release) nfpm(t target, p manifest.Part, f manifest.Format, dir string) (map[string]any, error) {
	scripts, err := r.scripts(p, f, dir)
	if err != nil {
		return nil, err
	}
	a := about[p]
	config := map[string]any{
		"name": string(p), "arch": t.goarch, "platform": "linux", "version": r.packageVersion(), "version_schema": "none",
		"section": a.section, "priority": "optional", "maintainer": maintainer,
		"description": a.synopsis + "\n" + a.text, "homepage": "https://github.com/sallyport/sallyport", "license": "Apache-2.0",
		"vendor": "Sallyport", "mtime": r.mtime(), "contents": r.contents(t, p, f), "scripts": scripts,
		"rpm": map[string]any{"summary": strings.ToUpper(a.synopsis[:1]) + a.synopsis[1:], "buildhost": "localhost", "group": "System/Networking"},
	}
	if p == manifest.Tray {
		config["depends"] = []string{string(manifest.Daemon)}
	}
	if f == manifest.Deb && manifest.ServiceOf("linux", p) != nil {
		config["depends"] = []string{"adduser"}
	}
	if f == manifest.RPM {
		config["release"] = "1"
		if config["changelog"], err = r.rpmChangelog(dir); err != nil {
			return nil, err
		}
		if manifest.ServiceOf("linux", p) != nil {
			config["depends"] = []string{"/usr/sbin/useradd"}
		}
	}
	return config, nil
}

// rpmChangelog writes the one entry of a package, in nfpm's form.
func (r *release) rpmChangelog(dir string) (string, error) {
	text, err := json.Marshal([]map[string]any{{
		"semver": r.plainVersion(), "date": r.mtime(), "packager": maintainer, "changes": []map[string]string{{"note": "See CHANGELOG.md of this release."}},
	}})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "changelog.yaml")
	return file, os.WriteFile(file, text, 0o644)
}

func (r *release) mtime() string { return r.epoch.Format("2006-01-02T15:04:05Z") }

func (r *release) contents(t target, p manifest.Part, f manifest.Format) []content {
	var out []content
	for _, e := range manifest.PackageEntries(f, p) {
		c := content{Src: filepath.Join(r.dir(t), filepath.FromSlash(e.From)), Dst: e.Path,
			FileInfo: fileInfo{uint32(e.Mode), e.OwnerName(), e.GroupName(), r.mtime()}}
		switch {
		case e.IsDir():
			c.Src, c.Type = "", "dir"
		case e.IsConfig():
			c.Type = "config|noreplace"
		case f == manifest.RPM && strings.HasPrefix(e.Path, "/usr/share/man/"):
			c.Type = "doc"
		case f == manifest.RPM && strings.HasPrefix(e.Path, "/usr/share/licenses/"):
			c.Type = "license"
		}
		out = append(out, c)
	}
	return out
}

// scriptNames are the moments of a format, as nfpm calls them.
var scriptNames = map[manifest.Format]map[string]string{
	manifest.Deb: {"postinstall": "deb-postinst.sh", "preremove": "deb-prerm.sh", "postremove": "deb-postrm.sh"},
	manifest.RPM: {"preinstall": "rpm-pre.sh", "postinstall": "rpm-post.sh", "preremove": "rpm-preun.sh"},
}

// scripts fills in the scripts of a part; one without a service needs none.
func (r *release) scripts(p manifest.Part, f manifest.Format, dir string) (map[string]string, error) {
	service := manifest.ServiceOf("linux", p)
	if service == nil {
		return nil, nil
	}
	out := map[string]string{}
	for moment, name := range scriptNames[f] {
		t, err := template.ParseFS(files, "files/"+name)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, map[string]any{"Service": service, "Directories": manifest.Directories(p)}); err != nil {
			return nil, err
		}
		out[moment] = filepath.Join(dir, name)
		if err := os.WriteFile(out[moment], bytes.TrimRight(b.Bytes(), "\n"), 0o755); err != nil {
			return nil, err
		}
	}
	return out, nil
}
