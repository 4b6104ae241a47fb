package buildinfo

import (
	"runtime/debug"
	"testing"
)

func TestFrom(t *testing.T) {
	t.Parallel()
	vcs := func(mainVersion, rev, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{
			Main:     debug.Module{Version: mainVersion},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: rev}, {Key: "vcs.modified", Value: modified}},
		}
	}
	for _, tt := range []struct {
		name, version, commit   string
		info                    *debug.BuildInfo
		wantVersion, wantCommit string
	}{
		{name: "nothing known", wantVersion: "devel"},
		{name: "linker wins", version: "1.2.3", commit: "abc", info: vcs("v9", "0123456789abcdef", "false"), wantVersion: "1.2.3", wantCommit: "abc"},
		{name: "toolchain", info: vcs("v0.1.0", "0123456789abcdef", "false"), wantVersion: "v0.1.0", wantCommit: "0123456789ab"},
		{name: "changed tree", info: vcs("(devel)", "0123456789abcdef", "true"), wantVersion: "devel", wantCommit: "0123456789ab+"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, c := from(tt.version, tt.commit, tt.info)
			if v != tt.wantVersion || c != tt.wantCommit {
				t.Errorf("got %q %q, want %q %q", v, c, tt.wantVersion, tt.wantCommit)
			}
		})
	}
}
