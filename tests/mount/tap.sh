# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Tests in shell: each is a function with a name that says what holds, and TAP comes out.
#
#   a_file_is_a_file() { touch "$WORK/f" && [ -f "$WORK/f" ]; }
#   run_tests a_file_is_a_file …
#
# A test runs in a subshell of its own, with a fresh directory in WORK, store, mount
# point and all; whatever it leaves mounted is taken away. It passes by returning 0.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A test that skips is one of many here.
unset FOLDFS_TEST_TAP

# Why a test fails is said on stderr, then it fails.
fail() { note "$*"; return 1; }

# run_tests NAME…
run_tests() {
	local name number=0 failed=0
	echo "1..$#"
	for name in "$@"; do
		number=$((number + 1))
		note "$name"
		(make_workdir && "$name")
		case $? in
		0) echo "ok $number - $name" ;;
		77) echo "ok $number - $name # SKIP" ;;
		*)
			echo "not ok $number - $name"
			failed=1 ;;
		esac
	done
	return $failed
}

# A test that cannot run at all on this machine: all of the script's are skipped.
skip_tests() {
	[ "${CI:-}" = true ] && die "skipped, and in CI nothing may be: $*"
	echo "1..0 # SKIP $*"
	exit 0
}

# The store and the mount point, owned by who mounts.
make_source() { make_store directory; }

# A mount without allow_other is closed to everybody else, root included: what is on it
# is looked at as its user.
seen() { as_user test -e "$1"; }
same() { as_user cmp "$1" "$2"; }

mounted() { [ -n "$(MNT=$WORK/mnt find_connection)" ]; }

# wait_until COMMAND…: true within 20 seconds, or false.
wait_until() {
	local tries
	for ((tries = 0; tries < 400; tries++)); do
		"$@" && return 0
		sleep 0.05
	done
	return 1
}

# make_memory_group BYTES: a memory control group with this limit, GROUP, of either version.
# Returns 1, and says so, where there cannot be one: in many containers. Then the test is to
# return 77.
make_memory_group() {
	local root file
	for root in /sys/fs/cgroup/memory /sys/fs/cgroup /sys/fs/cgroup/unified; do
		GROUP=$root/foldfs-test-$$
		mkdir "$GROUP" 2>/dev/null || continue
		for file in memory.max memory.limit_in_bytes; do
			[ -w "$GROUP/$file" ] && echo "$1" >"$GROUP/$file" && return 0
		done
		rmdir "$GROUP"
	done
	note "no memory control group can be made here"
	return 1
}
