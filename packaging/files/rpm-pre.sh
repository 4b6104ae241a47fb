{{with .Service}}getent group {{.Account}} >/dev/null || groupadd --system {{.Account}}
getent passwd {{.Account}} >/dev/null || useradd --system --gid {{.Account}} --no-create-home --home-dir {{.State}} --shell /sbin/nologin {{.Account}}
{{end}}exit 0
