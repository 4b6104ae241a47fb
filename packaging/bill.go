package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// component is a row of a bill of materials in CycloneDX's words.
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

// bills writes what each program is linked from, read out of the programs
// themselves.
func (r *release) bills(context.Context) error {
	for _, t := range r.targets() {
		components := []component{}
		for _, p := range t.programs {
			file := filepath.Join(r.dir(t), "bin", p.name)
			if t.goos == "windows" {
				file += ".exe"
			}
			c, err := linked(file, p.name, r.packageVersion())
			if err != nil {
				return err
			}
			components = append(components, c...)
		}
		text, err := json.MarshalIndent(map[string]any{
			"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
			"metadata": map[string]any{"timestamp": r.mtime(), "component": component{
				Type: "application", Name: "sallyport", Version: r.packageVersion(), PURL: "pkg:golang/" + module + "@" + r.packageVersion()}},
			"components": unique(components),
		}, "", "  ")
		if err != nil {
			return err
		}
		name := fmt.Sprintf("sallyport-%s-%s-%s.cdx.json", r.fileVersion(), t.goos, t.goarch)
		if err := os.WriteFile(filepath.Join(r.out, name), append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// linked is a program, Go's standard library, and its modules.
func linked(file, name, version string) ([]component, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sum, err := sumOf(file)
	if err != nil {
		return nil, err
	}
	out := []component{
		{Type: "application", Name: name, Version: version, PURL: "pkg:generic/" + name + "@" + version, Hashes: []hash{{"SHA-256", sum}}},
		{Type: "library", Name: "std", Version: info.GoVersion, PURL: "pkg:golang/std@" + info.GoVersion},
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		out = append(out, component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version})
	}
	return out, nil
}

// unique keeps the first of each.
func unique(in []component) []component {
	seen, out := map[string]bool{}, []component{}
	for _, c := range in {
		if !seen[c.PURL] {
			seen[c.PURL] = true
			out = append(out, c)
		}
	}
	return out
}
