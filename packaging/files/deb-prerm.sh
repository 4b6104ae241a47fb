#!/bin/sh
set -e

{{with .Service}}if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	deb-systemd-invoke stop {{.Name}}.service >/dev/null || true
fi
{{end}}
