package store

import "strings"

// Access lists of Windows, as text (SDDL). The text is made and judged here, where
// every system can test it; dir_windows.go brings it to the directory.

// Those who may have a state directory besides the account that the daemon runs as:
// LocalSystem and Administrators, in both ways to write them.
var mastersSDDL = []string{"SY", "S-1-5-18", "BA", "S-1-5-32-544"}

// privateDACL lets in the masters and one account, there and in all below, and
// inherits nothing.
func privateDACL(self string) string {
	return "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;" + self + ")"
}

// isMaster says whether a SID may own a state directory, or be in its list.
func isMaster(sid, self string) bool {
	for _, m := range append(mastersSDDL, self) {
		if strings.EqualFold(sid, m) {
			return true
		}
	}
	return false
}

// isPrivate says whether a list inherits nothing and lets in nobody but masters.
// What it does not understand is not private.
func isPrivate(sddl, self string) bool {
	_, dacl, found := strings.Cut(sddl, "D:")
	if !found {
		return false
	}
	dacl, _, _ = strings.Cut(dacl, "S:") // no SID has a colon
	flags, entries, found := strings.Cut(dacl, "(")
	if !found || !strings.Contains(flags, "P") || !strings.HasSuffix(entries, ")") {
		return false
	}
	for e := range strings.SplitSeq(strings.TrimSuffix(entries, ")"), ")(") {
		if f := strings.Split(e, ";"); len(f) != 6 || f[0] != "A" || !isMaster(f[5], self) {
			return false
		}
	}
	return true
}
