package config

import (
	"bytes"
	"fmt"
	"strings"
)

// TemplateInput is what the file that init writes is about.
type TemplateInput struct {
	Name   string
	Listen string
	State  string
	Zones  []string
	// Cert and Key are both empty for the private CA.
	Cert, Key string
}

// Template writes a new file: each key with what it means, those that the input
// gives with their value, the others as comments with their default.
func Template(in TemplateInput) []byte {
	set := map[string]string{
		"name":     quote(in.Name),
		"listen":   quote(in.Listen),
		"state":    quote(in.State),
		"tls.cert": quote(in.Cert),
		"tls.key":  quote(in.Key),
	}
	var b bytes.Buffer
	b.WriteString("# The file of sallyport-edge. Unknown keys are refused. What begins with \"# \" after\n" +
		"# its explanation is the default, or an example; take the mark away to change it. Relative paths are\n" +
		"# relative to this file. sallyport-edge reads it again on SIGHUP.\n")
	section := ""
	for _, k := range keys {
		if strings.HasPrefix(k.Path, "sites") {
			if k.Path == "sites" {
				writeSites(&b, in.Zones)
			}
			continue
		}
		name, indent := k.Path, ""
		if head, rest, nested := strings.Cut(k.Path, "."); nested {
			name, indent = rest, "  "
			if head != section {
				section = head
				writeHead(&b, head, in.Cert != "")
			}
		} else {
			b.WriteByte('\n')
		}
		writeDoc(&b, indent, k.Doc)
		if v := set[k.Path]; v != `""` && v != "" {
			fmt.Fprintf(&b, "%s%s: %s\n", indent, name, v)
			continue
		}
		fmt.Fprintf(&b, "%s# %s: %s\n", indent, name, example(k))
	}
	return b.Bytes()
}

// writeHead writes the line that a section stands under; one without a value is
// a comment, for an empty section would be none.
func writeHead(b *bytes.Buffer, head string, tls bool) {
	mark := "# "
	if head == "tls" && tls {
		mark = ""
	}
	fmt.Fprintf(b, "\n%s%s:\n", mark, head)
}

func writeSites(b *bytes.Buffer, zones []string) {
	b.WriteByte('\n')
	for _, k := range keys {
		switch k.Path {
		case "sites":
			writeDoc(b, "", k.Doc)
			b.WriteString("sites:\n")
		case "sites[].zone", "sites[].publishers":
			writeDoc(b, "  ", strings.TrimPrefix(k.Path, "sites[].")+": "+k.Doc)
		}
	}
	for _, z := range zones {
		fmt.Fprintf(b, "  - zone: %s\n    # publishers: [\"group:platform\"]\n", quote(z))
	}
}

func writeDoc(b *bytes.Buffer, indent, doc string) {
	for line := range strings.SplitSeq(doc, "\n") {
		fmt.Fprintf(b, "%s# %s\n", indent, line)
	}
}

// example is what stands in a comment: the default where it can be written.
func example(k Key) string {
	switch k.Path {
	case "port":
		return "443"
	case "administrators":
		return `["group:admins"]`
	case "tls.cert":
		return `"/etc/sallyport/edge.crt"`
	case "tls.key":
		return `"/etc/sallyport/edge.key"`
	case "oidc.issuer":
		return `"https://id.site.com"`
	case "oidc.client_id":
		return `"sallyport"`
	case "oidc.client_secret_file":
		return `"client-secret"`
	case "oidc.ca_file":
		return `"provider-ca.pem"`
	case "audit.file":
		return `"state/audit/audit.jsonl"`
	}
	return k.Default
}

// quote writes a YAML string in double quotes. What init takes has no control
// characters; a Windows path has backslashes.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
