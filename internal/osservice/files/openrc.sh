#!/sbin/openrc-run
# @ABOUT@
supervisor=supervise-daemon
name="@TITLE@"
description="@ABOUT@"
command=@PROGRAM@
command_args="@ARGUMENTS@"
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
	# An OpenRC that was built without capabilities (Debian's) refuses to start what asks for some: without
	# them only ports below 1024 are missing.
	supervise-daemon "$RC_SVCNAME" --capabilities "$capabilities" --help >/dev/null 2>&1 || unset capabilities
	checkpath --directory --mode 0700 --owner "$command_user" "@STATE@"
	checkpath --directory --mode 0755 --owner "$command_user" "@RUN@"
	checkpath --directory --mode 0750 --owner "$command_user" "@LOGDIR@"
}
