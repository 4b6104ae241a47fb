package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/sallyport/sallyport/internal/manifest"
)

// installer makes the MSI. Without wixl there is none, which is said.
func (r *release) installer(ctx context.Context) error {
	for _, t := range r.targets() {
		if t.goos != "windows" {
			continue
		}
		if _, err := exec.LookPath("wixl"); err != nil {
			fmt.Println("no MSI: wixl is missing (apt-get install wixl)")
			continue
		}
		if err := r.msi(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (r *release) msi(ctx context.Context, t target) error {
	text, err := r.wxs()
	if err != nil {
		return err
	}
	source := filepath.Join(r.work, "sallyport.wxs")
	bin := filepath.Join(r.dir(t), "bin")
	if err := os.WriteFile(source, text, 0o644); err != nil {
		return err
	}
	for _, p := range t.programs { // times stand in the cabinet
		if err := os.Chtimes(filepath.Join(bin, p.name+".exe"), r.epoch, r.epoch); err != nil {
			return err
		}
	}
	out := filepath.Join(r.out, fmt.Sprintf("sallyport-%s-windows-%s.msi", r.fileVersion(), t.goarch))
	// wixl finds files by names relative to where it runs, and by no others.
	cmd := exec.CommandContext(ctx, "wixl", "--arch", "x64", "-o", out, source)
	cmd.Dir = bin
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.epoch.Unix()), "TZ=UTC")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("wixl: %w\n%s", err, said)
	}
	return settle(out, r.epoch)
}

func (r *release) wxs() ([]byte, error) {
	tmpl, err := template.ParseFS(files, "files/sallyport.wxs")
	if err != nil {
		return nil, err
	}
	service := manifest.ServiceOf("windows", manifest.Daemon)
	var b bytes.Buffer
	err = tmpl.Execute(&b, map[string]any{
		"ProductID": r.guid("product"), "PackageID": r.guid("package"), "Version": r.plainVersion(),
		"Service": service, "Arguments": strings.Join(append(service.Arguments, service.FileArguments...), " "),
	})
	return b.Bytes(), err
}

// guid is another one for each version and the same for each build of it.
func (r *release) guid(what string) string {
	return guidText(sha256.Sum256([]byte("sallyport " + what + " " + r.packageVersion())))
}
