package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
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

// msiVersion is three numbers, which is all that Windows compares: a later commit
// has higher ones, so that its MSI takes the place of the one before. Between two
// releases there is room: 1.2.3 is 1.2.3000, and the seventh commit after it 1.2.3007.
// next is the first version that it does not take the place of: its own version's
// other builds it does. (wixl knows no AllowSameVersionUpgrades, and leaves out an
// inclusive maximum.)
func (r *release) msiVersion() (version, next string, err error) {
	m := sinceRelease.FindStringSubmatch(r.version)
	if m == nil { // no release yet
		return msiNumbers(0, 0, r.commits)
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // "" is 0
		n[i] = min(n[i], tooMuch)
	}
	return msiNumbers(n[0], n[1], n[2]*betweenReleases+min(n[3], betweenReleases-1))
}

const (
	betweenReleases = 1000
	tooMuch         = 1 << 16
)

// sinceRelease is what git describe says: the release, and the commits after it.
var sinceRelease = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)(?:-(\d+)-g[0-9a-f]+)?(?:-.*)?$`)

func msiNumbers(major, minor, third int) (version, next string, err error) {
	version, next = fmt.Sprintf("%d.%d.%d", major, minor, third), fmt.Sprintf("%d.%d.%d", major, minor, third+1)
	if major > 255 || minor > 255 || third >= 65535 {
		return "", "", fmt.Errorf("version %s of the MSI is more than Windows takes, 255.255.65535", version)
	}
	return version, next, nil
}

func (r *release) wxs() ([]byte, error) {
	version, next, err := r.msiVersion()
	if err != nil {
		return nil, err
	}
	tmpl, err := template.ParseFS(files, "files/sallyport.wxs")
	if err != nil {
		return nil, err
	}
	service := manifest.ServiceOf("windows", manifest.Daemon)
	var b bytes.Buffer
	err = tmpl.Execute(&b, map[string]any{
		"ProductID": r.guid("product"), "PackageID": r.guid("package"), "Version": version, "Next": next,
		"Components": components(service), "Arguments": strings.Join(append(service.Arguments, service.FileArguments...), " "),
	})
	return b.Bytes(), err
}

// msiComponent is what the MSI takes for one: a file, with the service that it is, or a
// value of the registry.
type msiComponent struct {
	ID, GUID string
	File     string
	Service  *manifest.Service
	Value    *manifest.Value
}

// components are those of the manifest. Where who installs says another directory,
// what names ours names that.
func components(service *manifest.Service) []msiComponent {
	var all []msiComponent
	add := func(place string, c msiComponent) {
		c.ID, c.GUID = fmt.Sprintf("Component%d", len(all)+1), guidText(sha256.Sum256([]byte("sallyport component "+place)))
		all = append(all, c)
	}
	for _, e := range manifest.MSIEntries() {
		c := msiComponent{File: filepath.Base(e.From)}
		if e.Path == service.Program {
			c.Service = service
		}
		add(e.Path, c)
	}
	for _, v := range manifest.MSIValues() {
		place := v.Key + `\` + v.Name
		v.Text = strings.ReplaceAll(v.Text, manifest.WindowsDir+`\`, "[INSTALLDIR]")
		add(place, msiComponent{Value: &v})
	}
	return all
}

// guid is another one for each version and the same for each build of it.
func (r *release) guid(what string) string {
	return guidText(sha256.Sum256([]byte("sallyport " + what + " " + r.packageVersion())))
}
