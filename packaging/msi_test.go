package main

import (
	"encoding/xml"
	"path"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/manifest"
)

func TestMSIVersion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		described string
		commits   int
		want      string // "" is an error
	}{
		{"v1.2.3", 500, "1.2.3000"},
		{"1.2.3", 500, "1.2.3000"},
		{"v1.2.3-dirty", 500, "1.2.3000"},
		{"v1.2.3-7-gdeadbee", 507, "1.2.3007"},
		{"v1.2.3-7-gdeadbee-dirty", 507, "1.2.3007"},
		{"v1.2.3-4711-gdeadbee", 9999, "1.2.3999"},
		{"v1.3.0-rc1", 500, "1.3.0"},
		{"v255.255.65", 0, "255.255.65000"},
		{"v1.2.66", 0, ""},
		{"v1.2.99999999999999999999", 0, ""},
		{"v256.0.0", 0, ""},
		{"v1.99999999999999999999.0", 0, ""},
		{"1758363", 206, "0.0.206"},
		{"1758363-dirty", 206, "0.0.206"},
		{"1758363", 65535, ""},
		{"devel", 0, "0.0.0"},
	} {
		got, _, err := (&release{version: c.described, commits: c.commits}).msiVersion()
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s after %d commits: %q, %v; want %q", c.described, c.commits, got, err, c.want)
		}
	}
}

// Two builds of one version replace each other, which MajorUpgrade of wixl cannot
// say.
func TestWXSReplacesItsOwnVersion(t *testing.T) {
	t.Parallel()
	text, err := (&release{version: "v1.2.3-7-gdeadbee"}).wxs()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		` Version="1.2.3007"`, `Maximum="1.2.3008" IncludeMaximum="no" Property="OLDER"`, `Minimum="1.2.3007" IncludeMinimum="no" OnlyDetect="yes"`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
}

// TestWXSHasTheManifest: each row is in it, and what names the directory follows it.
func TestWXSHasTheManifest(t *testing.T) {
	t.Parallel()
	text, err := (&release{version: "v1.2.3"}).wxs()
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.Unmarshal(text, new(struct{})); err != nil {
		t.Errorf("%v in %s", err, text)
	}
	want := []string{`Value="&#34;[INSTALLDIR]sallyport-tray.exe&#34; -login"`, `<ServiceInstall Id="Service" Name="sallyportd"`}
	for _, e := range manifest.MSIEntries() {
		want = append(want, `Source="`+path.Base(e.From)+`"`)
	}
	for _, w := range want {
		if strings.Count(string(text), w) != 1 {
			t.Errorf("%d of %s in %s", strings.Count(string(text), w), w, text)
		}
	}
}
