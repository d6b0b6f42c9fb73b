# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Programs that use a mount in the background, and are expected to end. Sourced by
# scripts on ../mount/tap.sh.

# A zombie counts: it is ours to reap.
gone() {
	case $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) in '' | Z) return 0 ;; esac
	return 1
}

# all_end SECONDS PID…: wait for them. 1 if one does not end; then it is said where it
# is stuck, and the connection is aborted, so that it ends all the same.
all_end() {
	local tries=$(($1 * 50 * ${FOLDFS_TEST_PATIENCE:-1})) seconds=$1 pid
	shift
	for pid in "$@"; do
		while ! gone "$pid"; do
			tries=$((tries - 1))
			[ $tries -gt 0 ] || {
				note "HUNG: process $pid has not ended after $seconds s"
				hang_report "${DAEMON:-}" "$pid"
				abort_connection
				return 1
			}
			sleep 0.02
		done
	done
}

# start LOG PROGRAM [ARGUMENT]…: as the user, in the background. Its pid is in STARTED.
# The log is new from here on: what the last one said must not be taken for its word.
start() {
	local log=$1
	shift
	rm -f "$log"
	(exec_as_user "$@") >"$log" 2>&1 &
	STARTED=$!
}

# The daemon ends by itself within seconds; its exit status is in ENDED.
daemon_ends() {
	all_end 20 "$DAEMON" || return
	wait "$DAEMON"
	# shellcheck disable=SC2034 # for the caller
	ENDED=$?
	DAEMON=''
}
