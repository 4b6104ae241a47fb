#!/sbin/openrc-run
# {{Description}}
supervisor=supervise-daemon
name="{{DisplayName}}"
description="{{Description}}"
command={{Path | cmdEscape}}
command_args="{{range Arguments}}{{.}} {{end}}"
command_user="@ACCOUNT@:@ACCOUNT@"
capabilities="^cap_net_bind_service"
respawn_delay=1
respawn_max=0
umask=0077
error_log="@LOGDIR@/@NAME@.err"
retry="TERM/15/KILL/5"

depend() {
	use net logger
	after firewall
}

start_pre() {
	checkpath --directory --mode 0700 --owner "$command_user" "@STATE@"
	checkpath --directory --mode 0755 --owner "$command_user" "@RUN@"
	checkpath --directory --mode 0750 --owner "$command_user" "@LOGDIR@"
}
