{{with .Service}}if [ "$1" = 0 ] && [ ! -d /run/systemd/system ] && [ -e /etc/init.d/{{.Name}} ]; then
	{{.Name}} service uninstall >/dev/null 2>&1 || :
elif [ "$1" = 0 ] && command -v systemctl >/dev/null; then
	systemctl disable --now {{.Name}}.service >/dev/null 2>&1 || :
fi
{{end}}exit 0
