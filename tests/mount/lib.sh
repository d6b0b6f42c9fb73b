# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Mounting for tests: a fresh directory, a fresh store, a daemon that is always ended.
#
# Sourced by every script that mounts. Run by root, the store and the daemon belong to
# `nobody`, who also does the work, unless AS_ROOT=yes; run by anybody else, to them.
# No test may hang: whoever waits here waits for a bounded time, then says what every
# thread of the daemon and of the test was doing, and aborts that one connection.
#
# Set by the caller or by meson: FOLDFS_BUILD (the build directory), and perhaps
#   FOLDFS               the daemon, if it is not the one built there
#   FOLDFS_TEST_OPTIONS  further daemon options for every mount
#   FOLDFS_TEST_KEEP     leave the working directory behind
# After make_workdir: WORK. After make_store: STORE. After mount_foldfs: MNT, DAEMON
# (its pid) and CONNECTION (its number below /sys/fs/fuse/connections).

set -u
export LC_ALL=C.UTF-8
export PATH="$PATH:/usr/sbin:/sbin"

FOLDFS_BUILD=${FOLDFS_BUILD:-$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")/build}
FOLDFS=${FOLDFS:-$FOLDFS_BUILD/fusefs/foldfs}
AS_ROOT=${AS_ROOT:-no}
NOBODY=65534
FUSECTL=/sys/fs/fuse/connections
WORK='' STORE='' MNT='' DAEMON='' CONNECTION=''
LOOP_MOUNTS=()

note() { printf '# %s\n' "$*" >&2; }
die() { note "$*"; exit 1; }
am_root() { [ "$EUID" = 0 ]; }

# Skip a whole script, in CI a failure: exit status 77, or in the words of TAP if that is
# what is expected of us (meson takes 77 for an error there).
skip_all() {
	[ "${CI:-}" = true ] && die "skipped, and in CI nothing may be: $*"
	note "skipped: $*"
	[ -z "${FOLDFS_TEST_TAP:-}" ] || { echo "1..0 # SKIP $*"; exit 0; }
	exit 77
}

# The prefix that makes a command run as the user whose mount it is.
user_prefix() {
	USER_PREFIX=()
	if am_root && [ "$AS_ROOT" != yes ]; then
		USER_PREFIX=(setpriv "--reuid=$NOBODY" "--regid=$NOBODY" --clear-groups --)
	fi
}
as_user() { user_prefix; "${USER_PREFIX[@]}" "$@"; }
# Likewise, in place of this shell: for `( exec_as_user … ) &`, whose $! is the program.
exec_as_user() { user_prefix; exec "${USER_PREFIX[@]}" "$@"; }

# What udev and systemd would have made, where there are none: /dev/fuse, and the table of
# mounts that fusermount3 reads. And fusectl, for aborts.
prepare_machine() {
	am_root || return 0
	[ -e /etc/mtab ] || ln -s ../proc/self/mounts /etc/mtab
	[ -e /dev/fuse ] || modprobe fuse 2>/dev/null || mknod /dev/fuse c 10 229 || true
	[ -c /dev/fuse ] || die "/dev/fuse is missing: this kernel or container has no FUSE"
	as_user test -w /dev/fuse || chmod 0666 /dev/fuse
	[ -n "$(device_of $FUSECTL)" ] || mount -t fusectl fusectl $FUSECTL 2>/dev/null || true
}

# In a mount namespace of our own: let go of its copies of other people's mounts, which
# their daemons would outlive until we end.
forget_other_mounts() {
	awk '/ - fuse\.foldfs / { print $5 }' /proc/self/mountinfo | while read -r mnt; do
		umount -l "$(printf '%b' "$mnt")"
	done
}

make_workdir() {
	prepare_machine
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/foldfs-test.XXXXXX") || die "no working directory"
	chmod 755 "$WORK"
	mkdir "$WORK/mnt" "$WORK/home"
	if am_root && [ "$AS_ROOT" != yes ]; then
		chown $NOBODY:$NOBODY "$WORK" "$WORK/mnt" "$WORK/home"
	fi
	export HOME="$WORK/home"
	trap 'cleanup' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	stage_tree
}

# What the user cannot reach (a checkout in /root, say) is put where it can be: what can be
# executed from the build, and scripts one by one as they are asked for. By further names,
# if it is the same file system: the build is some hundred megabytes, and each test does it.
stage_tree() {
	STAGED=''
	[ -e "$FOLDFS_BUILD/build.ninja" ] || return 0
	as_user test -r "$FOLDFS_BUILD/build.ninja" && return 0
	STAGED="$WORK/staged"
	mkdir -m 755 "$STAGED"
	(cd "$FOLDFS_BUILD" && find . \( -type f -perm -u+x -o -name '*.so*' \) -print0 |
		xargs -0 sh -c 'cp -al --parents -t "$0" "$@" 2>/dev/null ||
			cp -a --parents -t "$0" "$@"' "$STAGED")
	chmod -R go=rX "$STAGED"
	FOLDFS=$(staged "$FOLDFS")
}

# The path by which the user can reach a program or script.
staged() {
	if [ -z "$STAGED" ] || as_user test -x "$1"; then
		echo "$1"
	elif [ "${1#"$FOLDFS_BUILD"/}" != "$1" ]; then
		echo "$STAGED/${1#"$FOLDFS_BUILD"/}"
	else
		install -D -m 755 "$1" "$STAGED/scripts/${1##*/}"
		echo "$STAGED/scripts/${1##*/}"
	fi
}

# make_file_system TYPE [OPTION]… on $WORK/image. mkfs.btrfs looks at all sources of mounts,
# and fails where it may not: for as long as a test beside us has a mount whose source is in
# a mount of a user's.
make_file_system() {
	local type=$1 tries=1
	shift
	[ "$type" != btrfs ] || tries=50
	while ! "mkfs.$type" -q "$@" "$WORK/image" >"$WORK/mkfs.log" 2>&1; do
		((--tries)) || die "mkfs.$type: $(tail -n 1 "$WORK/mkfs.log")"
		sleep 0.1
	done
}

# make_store TYPE [MOUNT-OPTIONS]: a fresh directory on the file system asked for.
# `directory` is wherever $TMPDIR is; the others but tmpfs need root and loop devices.
make_store() {
	local type=$1 options=${2:-defaults} features=()
	STORE="$WORK/store"
	mkdir "$STORE"
	case $type in
	directory) ;;
	tmpfs)
		if am_root; then
			mount -t tmpfs -o "$options" foldfs-test "$STORE" || die "no tmpfs"
			LOOP_MOUNTS+=("$STORE")
		elif [ "$options" = defaults ]; then
			rmdir "$STORE"
			SHM=$(mktemp -d /dev/shm/foldfs-test.XXXXXX) || die "no /dev/shm"
			ln -s "$SHM" "$STORE"
			STORE=$SHM
		else
			skip_all "a tmpfs mounted with '$options' needs root"
		fi ;;
	ext3 | ext4 | xfs | btrfs)
		am_root || skip_all "a store on $type needs root"
		truncate -s 2G "$WORK/image"
		# The least of stores: no extents, and directories that do not tell types.
		[ "$type" != ext3 ] || features=(-O ^filetype)
		make_file_system "$type" "${features[@]}"
		mount -t "$type" -o "loop,$options" "$WORK/image" "$STORE" ||
			die "$type: cannot mount a loop device"
		LOOP_MOUNTS+=("$STORE")
		rmdir "$STORE/lost+found" 2>/dev/null || true ;;
	*) die "$type: not directory, tmpfs, ext3, ext4, xfs or btrfs" ;;
	esac
	if am_root && [ "$AS_ROOT" != yes ]; then
		chown $NOBODY:$NOBODY "$STORE"
	fi
	chmod 755 "$STORE"
}

# device_of DIRECTORY: what is mounted there, MAJOR:MINOR; nothing, if nothing is. From
# mountinfo: a stat of a mount point would hang with the mount. Without other programs: it
# is asked some times for each mount, and to start one costs more than all the rest.
device_of() {
	local device path found=''
	while read -r _ _ device _ path _; do
		[ "${path//\\040/ }" != "$1" ] || found=$device
	done </proc/self/mountinfo
	echo "$found"
}

# The device number's minor half is the connection's number.
find_connection() {
	local device
	device=$(device_of "$MNT")
	echo "${device#*:}"
}

# mount_foldfs [OPTION]...: serve STORE on MNT. Returns 1 if the daemon ends instead;
# what it said is in $WORK/daemon.log.
mount_foldfs() {
	MNT="$WORK/mnt"
	[ -x "$FOLDFS" ] || die "$FOLDFS: no such program; build it first"
	# shellcheck disable=SC2086 # options are words
	(exec_as_user "$FOLDFS" -f "$@" ${FOLDFS_TEST_OPTIONS:-} "$STORE" "$MNT") \
		>>"$WORK/daemon.log" 2>&1 &
	DAEMON=$!
	local tries
	for ((tries = 0; tries < 600; tries++)); do
		CONNECTION=$(find_connection)
		[ -n "$CONNECTION" ] && return 0
		if ! kill -0 $DAEMON 2>/dev/null; then
			wait $DAEMON
			note "foldfs ended with status $? instead of mounting"
			DAEMON=''
			return 1
		fi
		sleep 0.05
	done
	note "foldfs did not mount within 30 s"
	hang_report $DAEMON
	return 1
}

# End the mount as a user would, and see the daemon go. Returns 1, and says why, unless
# all of that was clean.
unmount_foldfs() {
	local tries status holders
	[ -n "$CONNECTION" ] || return 0
	for ((tries = 0; tries < 40; tries++)); do
		unmount_once && break
		sleep 0.1
	done
	if [ -n "$(find_connection)" ]; then
		note "$MNT stays busy: $(cat "$WORK/unmount.log")"
		who_uses_mount
		abort_connection
		return 1
	fi
	if holders=$(held_elsewhere); then
		# Not by us, and not for us to judge: a new mount namespace copies all mounts.
		note "$MNT is also in: $holders; foldfs is told to end"
		kill -TERM "$DAEMON"
	fi
	CONNECTION=''
	wait_for_daemon 30 || return 1
	wait "$DAEMON"
	status=$?
	DAEMON=''
	[ $status = 0 ] || note "foldfs ended with status $status"
	return $status
}

unmount_once() {
	if [ "$AS_ROOT" = yes ]; then
		umount "$MNT" 2>"$WORK/unmount.log"
	else
		as_user fusermount3 -u "$MNT" 2>"$WORK/unmount.log"
	fi
}

# Processes in whose mount namespaces our mount is still to be seen. A moment is given to
# those that only set theirs up. By its place as well: the next mount on the machine may
# already have its number.
held_elsewhere() {
	local tries ours="^[0-9]+ [0-9]+ 0:$CONNECTION [^ ]+ [^ ]*/${WORK##*/}/mnt "
	for ((tries = 0; tries < 20; tries++)); do
		grep -lqsE "$ours" /proc/[0-9]*/mountinfo || return 1
		sleep 0.1
	done
	grep -lsE "$ours" /proc/[0-9]*/mountinfo | tr '\n' ' '
}

# wait_for_daemon SECONDS
wait_for_daemon() {
	local tries state
	for ((tries = 0; tries < $1 * 20; tries++)); do
		state=''
		{ read -r _ _ state _ <"/proc/$DAEMON/stat"; } 2>/dev/null
		# A zombie counts as gone: it is ours to reap.
		case $state in '' | Z) return 0 ;; esac
		sleep 0.05
	done
	note "HUNG: foldfs is unmounted and has not ended after $1 s"
	hang_report "$DAEMON"
	kill -ABRT "$DAEMON" 2>/dev/null
	return 1
}

who_uses_mount() {
	local fd
	for fd in /proc/[0-9]*/cwd /proc/[0-9]*/fd/*; do
		case $(readlink "$fd" 2>/dev/null) in
		"$MNT" | "$MNT"/*) note "  $fd -> $(readlink "$fd")" ;;
		esac
	done
}

# Every request that waits, and every one to come, fails with ECONNABORTED. Only ours:
# the number was read from our own mount's line. Without fusectl, the daemon's death
# does the same.
abort_connection() {
	if [ -n "$CONNECTION" ] && [ -w "$FUSECTL/$CONNECTION/abort" ]; then
		echo 1 >"$FUSECTL/$CONNECTION/abort"
	elif [ -n "$DAEMON" ]; then
		kill -KILL "$DAEMON" 2>/dev/null
	fi
}

# hang_report PID...: where every thread of these processes stands.
hang_report() {
	local pid task
	for pid in "$@"; do
		if [ -z "$pid" ] || [ ! -d "/proc/$pid" ]; then continue; fi
		note "process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-120)"
		for task in "/proc/$pid/task/"*; do
			note "  thread ${task##*/} $(cat "$task/comm" 2>/dev/null)," \
				"state $(cut -d' ' -f3 "$task/stat" 2>/dev/null)," \
				"in $(cat "$task/wchan" 2>/dev/null)"
			sed 's/^/#     /' "$task/stack" >&2 2>/dev/null
		done
		if command -v gdb >/dev/null && am_root; then
			timeout 20 gdb -p "$pid" -batch -nx -ex 'thread apply all bt 14' \
				2>/dev/null | grep -E '^(Thread|#)' | sed 's/^/#   /' >&2
		fi
	done
	[ -n "$CONNECTION" ] && [ -r "$FUSECTL/$CONNECTION/waiting" ] &&
		note "requests waiting: $(cat "$FUSECTL/$CONNECTION/waiting")"
	return 0
}

# The daemon's own words; a sanitizer's report among them is a failure.
daemon_log_is_clean() {
	[ -s "$WORK/daemon.log" ] || return 0
	sed 's/^/# foldfs: /' "$WORK/daemon.log" | head -n 400 >&2
	! grep -qE 'Sanitizer|runtime error:|lock rank|Assertion' "$WORK/daemon.log"
}

# Always runs: nothing stays mounted, nobody stays alive, nothing stays in /tmp.
cleanup() {
	local status=$? dir
	trap - EXIT INT TERM HUP
	CONNECTION=$(find_connection)
	if [ -n "$MNT" ] && [ -n "$CONNECTION" ]; then
		unmount_once || { abort_connection; detach; }
	fi
	[ -n "$DAEMON" ] && kill -KILL "$DAEMON" 2>/dev/null
	for dir in "${LOOP_MOUNTS[@]}"; do
		umount "$dir" 2>/dev/null || umount -l "$dir"
	done
	[ -n "${SHM:-}" ] && rm -rf "$SHM"
	[ -n "${GROUP:-}" ] && [ -d "$GROUP" ] && rmdir "$GROUP"
	if [ -n "$WORK" ] && [ -z "${FOLDFS_TEST_KEEP:-}" ]; then
		rm -rf --one-file-system "$WORK"
	elif [ -n "$WORK" ]; then
		note "kept: $WORK"
	fi
	exit $status
}

# Take a mount away that nobody serves any more.
detach() {
	if am_root; then
		umount -l "$MNT"
	else
		fusermount3 -u -z "$MNT"
	fi
}
