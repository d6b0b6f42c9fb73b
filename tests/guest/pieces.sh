# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The pieces that `run` is told to run; it sets OUT, TOP, BUILD and PATIENCE.
#
#   tests:SUITE:ARGUMENTS     `meson test` with these arguments, a `+` between them; counted
#                             as SUITE in the table
#   oracle:STORE:SECONDS      range_oracle
#   foldx:STORE:OPERATIONS    foldx with all it can do; fewer operations on a slow machine
#   twin:RULE:SECONDS         range_oracle on a daemon without a rule: it must notice
#   cost:ROUNDS               what the fence costs; printed, not judged
#
# Each prints how it went; what goes wrong is printed in full.

ORACLE=$BUILD/tests/stress/range_oracle/range_oracle
FOLDX=$BUILD/contrib/foldx/foldx
BROKEN=$BUILD/tests/twins/foldfs_broken

# result SUITE OUTCOME SECONDS NAME: of one test.
result() {
	local passed=0 failed=0 skipped=0
	case $2 in passed) passed=1 ;; skipped) skipped=1 ;; *) failed=1 ;; esac
	printf '%s\t%s\t%s\t%s\t%s\n' "$1" $passed $failed $skipped "$3" >>"$OUT/results"
	[ "$2" = passed ] || printf '%s\n' "$4" >>"$OUT/$2"
	say "$2: $4 ($3 s)"
}

# single SUITE NAME COMMAND [ARGUMENT]...: one test, judged by its exit status.
single() {
	local suite=$1 name=$2 log began=$SECONDS outcome
	shift 2
	log="$OUT/logs/$(wc -l <"$OUT/results")_${name//[^a-zA-Z0-9_.-]/_}"
	"$@" </dev/null >"$log" 2>&1
	case $? in 0) outcome=passed ;; 77) outcome=skipped ;; *) outcome=failed ;; esac
	[ $outcome = passed ] || cat "$log"
	result "$suite" $outcome $((SECONDS - began)) "$name"
}

# tests SUITE ARGUMENT...: what meson runs, each single test counted.
tests() {
	local suite=$1 began=$SECONDS logs="$BUILD/meson-logs" log="$OUT/logs/$1" counts
	shift
	rm -rf "$logs"
	mkdir -p "$logs"
	meson test -C "$BUILD" --no-rebuild --num-processes 3 --print-errorlogs \
		--timeout-multiplier "$PATIENCE" "$@" </dev/null >"$log" 2>&1
	cp "$logs/testlog.txt" "$log.txt"
	/usr/bin/python3 "$TOP/contrib/count_tests.py" "$logs" >"$log.count" 2>&1
	counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1\t\2\t\3/p' \
		"$log.count")
	if [ -z "$counts" ]; then
		cat "$log" "$log.count"
		result "$suite" failed $((SECONDS - began)) "$suite: no test was run"
		return
	fi
	printf '%s\t%s\t%s\n' "$suite" "$counts" $((SECONDS - began)) >>"$OUT/results"
	if grep -q '^failed:' "$log.count"; then
		grep -vE '^ *[0-9]+/[0-9]+ .* (OK|SKIP|EXPECTEDFAIL) ' "$log"
		sed -n 's/^failed: //p' "$log.count" >>"$OUT/failed"
	fi
	reasons "$log.txt" >>"$OUT/skipped"
	say "$suite: $(tail -n 1 "$log.count") ($((SECONDS - began)) s)"
}

# Why tests were skipped, from their output: in TAP, and in lib.sh's words.
reasons() {
	sed -nE 's/.*# SKIP (.*)/\1/p; s/^# skipped: (.*)/\1/p' "$1"
}

# oracle STORE SECONDS
oracle() {
	single range_oracle "range_oracle on $1 for $2 s" "$TOP/tests/mount/run" --store="$1" \
		--timeout=$(($2 + 60)) -- "$ORACLE" --seconds="$2" --hang=$((30 * PATIENCE))
}

# foldx STORE OPERATIONS; every kind of them occurs in a few hundred.
foldx() {
	local ops=$(($2 / PATIENCE))
	[ $ops -ge 300 ] || ops=300
	single foldx "foldx on $1, $ops operations" "$TOP/tests/mount/run" --store="$1" \
		--timeout=$((120 + ops / 10)) -- "$FOLDX" --ops=$ops --hang=$((60 * PATIENCE)) \
		--weights=unlink=40,recreate=60 --require=all --behind=@STORE@ @DIR@
}

# twin RULE SECONDS
twin() {
	single twins "range_oracle notices within $2 s that $1 is left out" oracle_without "$@"
}

# Not noticed is 0; anything but what the oracle says of wrong bytes is not what we want.
oracle_without() {
	local log=$OUT/logs/without_$1
	! FOLDFS=$BROKEN FOLDFS_BREAK=$1 "$TOP/tests/mount/run" --store=tmpfs \
		--timeout=$(($2 + 60)) -- "$ORACLE" --seconds="$2" --pause=200 \
		--hang=$((30 * PATIENCE)) >"$log" 2>&1 &&
		grep -m 1 '^VIOLATION: ' "$log"
}

run_piece() {
	local words arguments
	IFS=: read -ra words <<<"$1"
	case ${words[0]} in
	tests)
		IFS=+ read -ra arguments <<<"${words[2]}"
		tests "${words[1]}" "${arguments[@]}" ;;
	oracle | foldx | twin) "${words[@]}" ;;
	cost) "$TOP/tests/bench/fence" "$BUILD" "${words[1]}" ;;
	*) result "${words[0]}" failed 0 "$1: there is no such piece" ;;
	esac
}
