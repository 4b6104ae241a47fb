{{range .Directories}}install -d -m {{printf "%04o" .Mode}} -o {{.OwnerName}} -g {{.GroupName}} {{.Path}}
{{end}}{{with .Service}}if [ -d /run/systemd/system ]; then
	systemctl daemon-reload >/dev/null 2>&1 || :
	if [ "$1" = 1 ]; then
		systemctl enable --now {{.Name}}.service >/dev/null 2>&1 || :
	else
		systemctl try-restart {{.Name}}.service >/dev/null 2>&1 || :
	fi
elif [ "$1" != 1 ] && [ -x /etc/init.d/{{.Name}} ]; then
	{{.Name}} service install >/dev/null 2>&1 || :
	{{.Name}} service restart >/dev/null 2>&1 || :
elif [ "$1" = 1 ] && command -v systemctl >/dev/null; then
	systemctl enable {{.Name}}.service >/dev/null 2>&1 || :
fi
{{end}}exit 0
