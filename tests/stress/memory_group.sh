# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# A control group with a limit on memory, of either version, for a process and what it
# starts from then on. Sourced by scripts on ../mount/tap.sh.
#
# There is no swap in it: what cannot be had back, as the memory of programs, counts until
# the limit is met, and then somebody in the group is killed.

CGROUPS=/sys/fs/cgroup
GROUP='' GROUP_BEFORE=''

# limit_memory PID BYTES: 1 where that cannot be had: it takes root and the controller.
limit_memory() {
	local parent=$CGROUPS limit=memory.max swap=memory.swap.max
	if [ -d $CGROUPS/memory ]; then
		parent=$CGROUPS/memory limit=memory.limit_in_bytes swap=memory.swappiness
	fi
	GROUP=$parent/foldfs-test.$BASHPID
	GROUP_BEFORE=$parent$(awk -F: '$2 == "memory" || $1 == 0 { print $3; exit }' \
		"/proc/$1/cgroup")
	[ -d "$GROUP_BEFORE" ] || GROUP_BEFORE=$parent
	am_root && mkdir "$GROUP" 2>/dev/null || return
	[ ! -e "$GROUP/$swap" ] || echo 0 >"$GROUP/$swap"
	[ -e "$GROUP/$limit" ] && echo "$2" >"$GROUP/$limit" &&
		echo "$1" >"$GROUP/cgroup.procs" && return
	rmdir "$GROUP"
	return 1
}

# How often the limit was met, and how many were killed for it.
limit_met() {
	cat "$GROUP"/memory.{failcnt,events} 2>/dev/null |
		awk 'NF == 1 { n += $1 } $1 == "max" { n += $2 } END { print n + 0 }'
}
killed_for_memory() {
	cat "$GROUP"/memory.{oom_control,events} 2>/dev/null |
		awk '$1 == "oom_kill" { n += $2 } END { print n + 0 }'
}

# leave_group [PID]: the group is for the dead, or for PID, which goes back to where it was.
leave_group() {
	note "the limit was met $(limit_met) times"
	[ $# = 0 ] || echo "$1" >"$GROUP_BEFORE/cgroup.procs"
	wait_until rmdir "$GROUP" 2>/dev/null
}
