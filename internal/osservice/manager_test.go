package osservice

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/manifest"
)

func TestScriptsAreFilledIn(t *testing.T) {
	for _, m := range manifest.Services("linux") {
		c := &Control{Service: m}
		for _, platform := range []string{onUnits, onOpenRC, onSysV, onLaunchd} {
			text := c.text(platform)
			for _, left := range []string{"@PROGRAM", "@ARG", "@NAME", "@ACC", "@STATE", "@RUN", "@LOG", "@TITLE", "@ABOUT", "{{"} {
				if strings.Contains(text, left) {
					t.Errorf("%s for %s has %q in it", m.Name, platform, left)
				}
			}
			if !strings.Contains(text, m.Program) || c.file(platform) == "" {
				t.Errorf("%s for %s, in %q: %s", m.Name, platform, c.file(platform), text)
			}
		}
	}
}

func TestScriptsQuote(t *testing.T) {
	c := &Control{Service: manifest.Service{Program: "/opt/it's <mine>/sallyportd", Arguments: []string{"run", "--log-file", "/var/a b"}}}
	if text := c.text(onSysV); !strings.Contains(text, `--startas '/opt/it'\''s <mine>/sallyportd' -- run --log-file '/var/a b' >>`) {
		t.Errorf("the init script: %s", text)
	}
	var words []string
	for d := xml.NewDecoder(strings.NewReader(c.text(onLaunchd))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if text, ok := token.(xml.CharData); ok {
			words = append(words, string(text))
		}
	}
	for _, w := range append(c.Arguments, c.Program) {
		if !strings.Contains(strings.Join(words, "\n"), "\n"+w+"\n") {
			t.Errorf("the plist has %q, not %q", words, w)
		}
	}
}

// TestStrangeManagers: the library would run the program as root there.
func TestStrangeManagers(t *testing.T) {
	for platform, want := range map[string]bool{"linux-upstart": false, "linux-rcs": false, "": false, onSysV: true, onOpenRC: true, "windows-service": true} {
		if managed(platform) != want {
			t.Errorf("managed(%q) is %t", platform, !want)
		}
	}
}
