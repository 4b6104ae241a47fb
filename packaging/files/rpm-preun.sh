{{with .Service}}if [ "$1" = 0 ] && command -v systemctl >/dev/null; then
	systemctl disable --now {{.Name}}.service >/dev/null 2>&1 || :
fi
{{end}}exit 0
