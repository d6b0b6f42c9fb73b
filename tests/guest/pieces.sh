# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What can be run in a guest. Sourced by `run`, which says OUT, TOP, BUILD, PATIENCE.
#
#   tests:LABEL:ARGUMENTS      `meson test` with these, separated by `+`
#   oracle:STORE:SECONDS       range_oracle
#   foldx:STORE:OPERATIONS     foldx with everything, see pieces_foldx
#   cost:ROUNDS                what the fence costs; printed, not judged
#   twin:RULE:SECONDS          range_oracle with a rule left out: it must fail

ORACLE=$BUILD/tests/stress/range_oracle/range_oracle
FOLDX=$BUILD/contrib/foldx/foldx

# result SUITE OUTCOME SECONDS NAME
result() {
	local passed=0 failed=0 skipped=0
	case $2 in passed) passed=1 ;; skipped) skipped=1 ;; *) failed=1 ;; esac
	printf '%s\t%s\t%s\t%s\t%s\n' "$1" $passed $failed $skipped "$3" >>"$OUT/results"
	case $2 in
	failed) printf '%s\n' "$4" >>"$OUT/failed" ;;
	skipped) printf '%s\n' "$4" >>"$OUT/skipped" ;;
	esac
	say "$2: $4 ($3 s)"
}

# single SUITE NAME COMMAND [ARGUMENT]...: one test, by its exit status.
single() {
	local suite=$1 name=$2 log began=$SECONDS outcome=passed
	shift 2
	log="$OUT/logs/${name//[^a-zA-Z0-9_.-]/_}"
	"$@" </dev/null >"$log" 2>&1
	case $? in 0) ;; 77) outcome=skipped ;; *) outcome=failed ;; esac
	[ $outcome = passed ] || tail -n 40 "$log"
	result "$suite" $outcome $((SECONDS - began)) "$name"
}

# tests LABEL ARGUMENT...: many tests, counted one by one.
tests() {
	local label=$1 began=$SECONDS logs="$BUILD/meson-logs" counts
	shift
	rm -rf "$logs" && mkdir "$logs"
	meson test -C "$BUILD" --no-rebuild --num-processes 3 --print-errorlogs \
		--timeout-multiplier "$PATIENCE" "$@" </dev/null >"$OUT/logs/$label" 2>&1
	cp "$logs"/testlog.* "$OUT/logs/" 2>/dev/null
	/usr/bin/python3 "$TOP/contrib/count_tests.py" "$logs" >"$OUT/logs/$label.count" 2>&1
	counts=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1\t\2\t\3/p' \
		"$OUT/logs/$label.count")
	if [ -z "$counts" ]; then
		cat "$OUT/logs/$label" "$OUT/logs/$label.count"
		result "$label" failed $((SECONDS - began)) "$label: no test was run"
		return
	fi
	printf '%s\t%s\t%s\n' "$label" "$counts" $((SECONDS - began)) >>"$OUT/results"
	sed -n 's/^failed: //p' "$OUT/logs/$label.count" >>"$OUT/failed"
	grep -E '^failed:' "$OUT/logs/$label.count" && sed -n '/=== *test output/,$p' "$OUT/logs/$label"
	say "$label: $(tail -n 1 "$OUT/logs/$label.count") ($((SECONDS - began)) s)"
}

# oracle STORE SECONDS
oracle() {
	single range_oracle "range_oracle, $1, $2 s" "$TOP/tests/mount/run" --store="$1" \
		--timeout=$(($2 + 120)) -- "$ORACLE" --seconds="$2" --hang=$((30 * PATIENCE))
}

# foldx STORE OPERATIONS
foldx() {
	single foldx "foldx, $1, $2 operations" "$TOP/tests/mount/run" --store="$1" \
		--timeout=600 -- "$FOLDX" --ops="$2" --weights=unlink=10,recreate=40 \
		--hang=$((60 * PATIENCE)) --require=all --behind=@STORE@ @DIR@
}

run_piece() {
	local words
	IFS=: read -ra words <<<"$1"
	case ${words[0]} in
	tests) IFS=+ read -ra arguments <<<"${words[2]}"
		tests "${words[1]}" "${arguments[@]}" ;;
	oracle) oracle "${words[1]}" "${words[2]}" ;;
	foldx) foldx "${words[1]}" "${words[2]}" ;;
	cost) "$TOP/tests/bench/fence" "$BUILD" "${words[1]}" ;;
	*) result "${words[0]}" failed 0 "$1: no such piece" ;;
	esac
}
