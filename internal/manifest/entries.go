package manifest

import "slices"

// Entries are the rows of an operating system, directories before what is in
// them.
func Entries(goos string) []Entry {
	switch goos {
	case "linux":
		return linux
	case "darwin":
		return darwin
	}
	return nil // windows: nothing but the MSI installs, see MSIEntries
}

// EntriesOf are the rows of some parts.
func EntriesOf(goos string, parts []Part) []Entry {
	var out []Entry
	for _, e := range Entries(goos) {
		if slices.Contains(parts, e.Part) {
			out = append(out, e)
		}
	}
	return out
}

const (
	program = 0o755
	file    = 0o644
)

var linux = []Entry{
	{Part: Daemon, Path: "/usr/bin/sallyportd", From: "bin/sallyportd", Mode: program},
	{Part: Daemon, Path: "/usr/bin/sallyport", From: "bin/sallyport", Mode: program},
	{Part: Daemon, Path: "/usr/lib/systemd/system/sallyportd.service", From: "share/sallyportd.service", Mode: file},
	{Part: Daemon, Path: "/var/lib/sallyport", Mode: 0o700, Owner: "sallyport", Keep: true},
	{Part: Daemon, Path: "/usr/share/man/man8/sallyportd.8.gz", From: "share/man/sallyportd.8.gz", Mode: file},
	{Part: Daemon, Path: "/usr/share/man/man1/sallyport.1.gz", From: "share/man/sallyport.1.gz", Mode: file},
	{Part: Daemon, Path: "/usr/share/bash-completion/completions/sallyport", From: "share/completions/sallyport.bash", Mode: file},
	{Part: Daemon, Path: "/usr/share/zsh/vendor-completions/_sallyport", From: "share/completions/sallyport.zsh", Mode: file},
	{Part: Daemon, Path: "/usr/share/fish/vendor_completions.d/sallyport.fish", From: "share/completions/sallyport.fish", Mode: file},

	{Part: Tray, Path: "/usr/bin/sallyport-tray", From: "bin/sallyport-tray", Mode: program},
	{Part: Tray, Path: "/etc/xdg/autostart/sallyport-tray.desktop", From: "share/sallyport-tray-autostart.desktop", Mode: file},
	{Part: Tray, Path: "/usr/share/applications/sallyport-tray.desktop", From: "share/sallyport-tray.desktop", Mode: file},
	{Part: Tray, Path: "/usr/share/icons/hicolor/scalable/apps/sallyport.svg", From: "share/sallyport.svg", Mode: file},
	{Part: Tray, Path: "/usr/share/man/man1/sallyport-tray.1.gz", From: "share/man/sallyport-tray.1.gz", Mode: file},

	{Part: Edge, Path: "/usr/bin/sallyport-edge", From: "bin/sallyport-edge", Mode: program},
	{Part: Edge, Path: "/usr/lib/systemd/system/sallyport-edge.service", From: "share/sallyport-edge.service", Mode: file},
	{Part: Edge, Path: "/etc/sallyport", Mode: 0o750, Group: "sallyport-edge", Keep: true},
	{Part: Edge, Path: "/var/lib/sallyport-edge", Mode: 0o700, Owner: "sallyport-edge", Keep: true},
	{Part: Edge, Path: "/usr/share/man/man1/sallyport-edge.1.gz", From: "share/man/sallyport-edge.1.gz", Mode: file},
	{Part: Edge, Path: "/usr/share/bash-completion/completions/sallyport-edge", From: "share/completions/sallyport-edge.bash", Mode: file},
	{Part: Edge, Path: "/usr/share/zsh/vendor-completions/_sallyport-edge", From: "share/completions/sallyport-edge.zsh", Mode: file},
	{Part: Edge, Path: "/usr/share/fish/vendor_completions.d/sallyport-edge.fish", From: "share/completions/sallyport-edge.fish", Mode: file},

	{Part: Daemon, Path: "/usr/bin/sallyport-installer", From: "bin/sallyport-installer", Mode: program, Unpackaged: true},
	{Part: Edge, Path: "/usr/bin/sallyport-installer", From: "bin/sallyport-installer", Mode: program, Unpackaged: true},
}

// darwin has no tray: building it needs a Mac.
var darwin = []Entry{
	{Part: Daemon, Path: "/usr/local/bin/sallyportd", From: "bin/sallyportd", Mode: program},
	{Part: Daemon, Path: "/usr/local/bin/sallyport", From: "bin/sallyport", Mode: program},
	{Part: Daemon, Path: "/usr/local/bin/sallyport-installer", From: "bin/sallyport-installer", Mode: program},
	{Part: Daemon, Path: "/Library/Application Support/Sallyport", Mode: 0o700, Keep: true},
	{Part: Daemon, Path: "/Library/Logs/Sallyport", Mode: 0o755, Keep: true},
	{Part: Daemon, Path: "/usr/local/share/man/man8/sallyportd.8.gz", From: "share/man/sallyportd.8.gz", Mode: file},
	{Part: Daemon, Path: "/usr/local/share/man/man1/sallyport.1.gz", From: "share/man/sallyport.1.gz", Mode: file},
	{Part: Daemon, Path: "/usr/local/share/zsh/site-functions/_sallyport", From: "share/completions/sallyport.zsh", Mode: file},
	{Part: Edge, Path: "/usr/local/bin/sallyport-edge", From: "bin/sallyport-edge", Mode: program},
	{Part: Edge, Path: "/usr/local/share/man/man1/sallyport-edge.1.gz", From: "share/man/sallyport-edge.1.gz", Mode: file},
}
