#!/bin/sh
set -e

{{with .Service}}if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = purge ]; then
	if command -v deb-systemd-helper >/dev/null; then
		deb-systemd-helper purge {{.Name}}.service >/dev/null || true
		deb-systemd-helper unmask {{.Name}}.service >/dev/null || true
	fi
	rm -rf{{range $.Directories}} {{.Path}}{{end}}{{range .Leftovers}} {{.}}{{end}}
	if getent passwd {{.Account}} >/dev/null; then userdel {{.Account}} >/dev/null 2>&1 || true; fi
	if getent group {{.Account}} >/dev/null; then groupdel {{.Account}} >/dev/null 2>&1 || true; fi
fi
{{end}}
