# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# The pieces that `run` is told to run; it sets OUT, TOP, BUILD and PATIENCE.
#
#   tests:SUITE:ARGUMENTS     tests that list_tests chooses by these arguments, a `+` between
#                             them; counted as SUITE in the table
#   oracle:STORE:SECONDS      range_oracle; on several stores at once, with a `+` between them
#   foldx:STORE:OPERATIONS    foldx with all it can do; fewer operations on a slow machine
#   twin:RULE:SECONDS         range_oracle on a daemon without a rule: it must notice in time
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
	log=$(mktemp "$OUT/logs/${name//[^a-zA-Z0-9_.-]/_}.XXX")
	"$@" </dev/null >"$log" 2>&1
	case $? in 0) outcome=passed ;; 77) outcome=skipped ;; *) outcome=failed ;; esac
	[ $outcome = passed ] || cat "$log"
	result "$suite" $outcome $((SECONDS - began)) "$name"
}

# oracle STORE[+STORE]... SECONDS
oracle() {
	local store
	for store in ${1//+/ }; do one_oracle "$store" "$2" & done
	wait
}

# one_oracle STORE SECONDS
one_oracle() {
	single range_oracle "range_oracle on $1 for $2 s" "$TOP/tests/mount/run" --store="$1" \
		--timeout=$(($2 + 60)) -- "$ORACLE" --seconds="$2" --hang=$((30 * PATIENCE))
}

# So that every kind of operation occurs among a few hundred.
FOLDX_WEIGHTS=fsync=40,reopen=40,rename=40,unlink=40,recreate=60,check=40

# foldx STORE OPERATIONS
foldx() {
	local ops=$(($2 / PATIENCE))
	[ $ops -ge 300 ] || ops=300
	single foldx "foldx on $1, $ops operations" "$TOP/tests/mount/run" --store="$1" \
		--timeout=$((120 + ops / 10)) -- "$FOLDX" --ops=$ops --hang=$((60 * PATIENCE)) \
		--weights="$FOLDX_WEIGHTS" --require=all --behind=@STORE@ @DIR@
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
	local words
	IFS=: read -ra words <<<"$1"
	case ${words[0]} in
	tests) tests "${words[1]}" ;;
	oracle | foldx | twin) "${words[@]}" ;;
	cost) "$TOP/tests/bench/fence" "$BUILD" "${words[1]}" ;;
	*) result "${words[0]}" failed 0 "$1: there is no such piece" ;;
	esac
}
