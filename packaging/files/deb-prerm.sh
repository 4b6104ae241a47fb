#!/bin/sh
set -e

{{with .Service}}if [ "$1" = remove ]; then
	if [ -d /run/systemd/system ]; then
		deb-systemd-invoke stop {{.Name}}.service >/dev/null || true
	elif [ -e /etc/init.d/{{.Name}} ]; then
		{{.Name}} service uninstall >/dev/null || true
	fi
fi
{{end}}
