#!/bin/sh
set -e

case "$1" in
configure|abort-upgrade|abort-deconfigure|abort-remove)
{{with .Service}}	if ! getent passwd {{.Account}} >/dev/null; then
		adduser --system --group --quiet --home {{.State}} --no-create-home {{.Account}}
	fi
{{end}}{{range .Directories}}	install -d -m {{printf "%04o" .Mode}} -o {{.OwnerName}} -g {{.GroupName}} {{.Path}}
{{end}}{{with .Service}}	deb-systemd-helper unmask {{.Name}}.service >/dev/null || true
	if deb-systemd-helper --quiet was-enabled {{.Name}}.service; then
		deb-systemd-helper enable {{.Name}}.service >/dev/null || true
	else
		deb-systemd-helper update-state {{.Name}}.service >/dev/null || true
	fi
	if [ -d /run/systemd/system ]; then
		systemctl --system daemon-reload >/dev/null || true
		if [ -n "$2" ]; then action=restart; else action=start; fi
		deb-systemd-invoke $action {{.Name}}.service >/dev/null || true
	elif [ -n "$2" ] && [ -x /etc/init.d/{{.Name}} ]; then
		# Its script is what "service install" wrote: this version's may be another.
		{{.Name}} service install >/dev/null || true
		{{.Name}} service restart >/dev/null || true
	fi
{{end}}	;;
esac
