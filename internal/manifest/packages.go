package manifest

import (
	"path"
	"strings"
)

// Format is a kind of package.
type Format string

// The formats that are made from Entries.
const (
	Deb Format = "deb"
	RPM Format = "rpm"
)

// PackageEntries are the rows of one package: those of its part, at the places
// of the format's family, and the documents that such a package has to have.
// Directories that belong to an account are left out, for a package's scripts
// make them once the account is there. One of an rpm's own is there for rpm to take it
// away.
func PackageEntries(f Format, p Part) []Entry {
	var out []Entry
	for _, e := range EntriesOf("linux", []Part{p}) {
		if e.Unpackaged || e.IsDir() {
			continue
		}
		if f == RPM {
			e.Path = strings.Replace(e.Path, "/usr/share/zsh/vendor-completions/", "/usr/share/zsh/site-functions/", 1)
		}
		out = append(out, e)
	}
	name := string(p)
	if f == RPM {
		licences := path.Join("/usr/share/licenses", name)
		return append(out, Entry{Part: p, Path: licences, Mode: program}, Entry{Part: p, Path: path.Join(licences, "LICENSE"), From: "LICENSE", Mode: file})
	}
	return append(out,
		Entry{Part: p, Path: path.Join("/usr/share/doc", name, "copyright"), From: "share/copyright", Mode: file},
		Entry{Part: p, Path: path.Join("/usr/share/doc", name, "changelog.gz"), From: "share/changelog/" + name + ".gz", Mode: file},
		Entry{Part: p, Path: path.Join("/usr/share/lintian/overrides", name), From: "share/lintian/" + name, Mode: file},
	)
}

// IsConfig says whether the row is a file that an administrator may edit.
func (e Entry) IsConfig() bool { return strings.HasPrefix(e.Path, "/etc/") && !e.IsDir() }

// Directories are the directories of a part that its scripts make.
func Directories(p Part) []Entry {
	var out []Entry
	for _, e := range EntriesOf("linux", []Part{p}) {
		if e.IsDir() {
			out = append(out, e)
		}
	}
	return out
}

// OwnerName is the account that a row belongs to.
func (e Entry) OwnerName() string {
	if e.Owner == "" {
		return "root"
	}
	return e.Owner
}

// GroupName is the group that a row belongs to.
func (e Entry) GroupName() string {
	if e.Group != "" {
		return e.Group
	}
	return e.OwnerName()
}
