#!/bin/sh
# chkconfig: 2345 50 50
# description: @ABOUT@

### BEGIN INIT INFO
# Provides:          @NAME@
# Required-Start:    $local_fs $remote_fs
# Required-Stop:     $local_fs $remote_fs
# Should-Start:      $network $syslog
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: @TITLE@
# Description:       @ABOUT@
### END INIT INFO

# SysV init watches nothing: a small loop starts the program again a second after it ended.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
pid_file=/run/@NAME@.pid
log=@LOGDIR@/@NAME@.err

is_running() {
	[ -s "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null
}

make_dirs() {
	for d in "0700 @STATE@" "0755 @RUN@" "0750 @LOGDIR@"; do
		mkdir -p "${d#* }" && chown @ACCOUNT@:@ACCOUNT@ "${d#* }" && chmod "${d%% *}" "${d#* }" || exit 1
	done
	touch "$log" && chown @ACCOUNT@:@ACCOUNT@ "$log" && chmod 0640 "$log"
}

start() {
	make_dirs
	start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$pid_file" --startas "$0" -- supervise
	for i in 1 2 3 4 5 6 7 8 9 10; do is_running && return 0; sleep 0.1; done
	return 1
}

supervise() {
	child=
	trap 'trap - TERM INT; [ -n "$child" ] && kill "$child" && wait "$child"; rm -f "$pid_file"; exit 0' TERM INT
	while :; do
		# It looks for a pid file that never is, not for the program: people run daemons of their own, and
		# the command that starts this one is the program too.
		start-stop-daemon --start --quiet --chuid @ACCOUNT@:@ACCOUNT@ --umask 077 --pidfile "$pid_file.none" --startas @PROGRAM@ -- @ARGUMENTS@ >>"$log" 2>&1 </dev/null &
		child=$!
		wait "$child"
		child=
		sleep 1
	done
}

case "$1" in
start)
	if is_running; then echo "Already started"; exit 0; fi
	echo "Starting @NAME@"
	start || { echo "It did not start; its log is in @LOGDIR@"; exit 1; }
	;;
stop)
	if is_running; then
		echo "Stopping @NAME@"
		start-stop-daemon --stop --quiet --retry TERM/15/KILL/5 --pidfile "$pid_file" || exit 1
	fi
	rm -f "$pid_file"
	;;
restart|force-reload)
	"$0" stop && "$0" start
	;;
status)
	if is_running; then echo "Running"; else echo "Stopped"; exit 3; fi
	;;
supervise)
	supervise
	;;
*)
	echo "Usage: $0 {start|stop|restart|status}"
	exit 2
	;;
esac
exit 0
