// Package buildinfo says which build of Sallyport this is.
//
// Shapes: Version and Commit are set by the linker (-X, see the Makefile);
// where they are not, what the Go toolchain noted in the binary is used.
package buildinfo

import (
	"runtime/debug"
	"sync"
)

// Set by -ldflags "-X github.com/sallyport/sallyport/internal/buildinfo.version=...".
var (
	version string
	commit  string
)

// unversioned is what a build without tags calls itself.
const unversioned = "devel"

// Version is the version of this build, "devel" where nobody gave it one.
func Version() string {
	v, _ := read()
	return v
}

// Commit is the revision that this build was made from, "" where unknown. A
// trailing "+" says that the tree had changes.
func Commit() string {
	_, c := read()
	return c
}

var read = sync.OnceValues(func() (string, string) {
	info, _ := debug.ReadBuildInfo()
	return from(version, commit, info)
})

// from prefers what the linker was told to what the toolchain noted.
func from(version, commit string, info *debug.BuildInfo) (string, string) {
	if info != nil {
		if version == "" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		if commit == "" {
			commit = revision(info.Settings)
		}
	}
	if version == "" {
		version = unversioned
	}
	return version, commit
}

func revision(settings []debug.BuildSetting) string {
	const short = 12 // enough to be unique in any repository of ours
	var rev, modified string
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			rev = s.Value
		case "vcs.modified":
			modified = s.Value
		}
	}
	if len(rev) > short {
		rev = rev[:short]
	}
	if rev != "" && modified == "true" {
		rev += "+"
	}
	return rev
}
