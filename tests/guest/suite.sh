# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Run the tests of a list of list_tests, several at a time, each until its time limit, and
# count every single one. Sourced by `run`, which sets OUT and PATIENCE.

# They wait more than they work.
AT_A_TIME=4

# count NAME PROTOCOL STATUS SECONDS LOG: what it printed is in LOG.out.
count() {
	awk -v name="$1" -v protocol="$2" -v status="$3" -v seconds="$4" \
		-f "$TOP/tests/guest/count.awk" "$5.out" >"$5.count"
}

# listed_test SUITE NAME PROTOCOL SECONDS COMMAND
listed_test() {
	local suite=$1 name=$2 protocol=$3 limit=$(($4 * PATIENCE)) command=$5
	local log="$OUT/logs/$suite/${name//\//_}" began=$SECONDS status
	timeout --kill-after=30 $limit bash -c "exec $command" </dev/null \
		>"$log.out" 2>"$log.err"
	status=$?
	count "$name" "$protocol" $status $((SECONDS - began)) "$log"
	if grep -q ^failed "$log.count"; then
		cat "$log.out" "$log.err"
		say "failed: $name ($((SECONDS - began)) s)"
	fi
}

# The counts of all tests of a suite, in one line of results, and what is to be said of
# single ones.
sum_up() {
	local suite=$1 seconds=$2 counts="$OUT/logs/$1.count"
	cat "$OUT/logs/$suite"/*.count >"$counts"
	awk -F'\t' -v suite="$suite" -v seconds="$seconds" '
		$1 == "counted" { p += $2; f += $3; s += $4 }
		END { printf "%s\t%d\t%d\t%d\t%d\n", suite, p, f, s, seconds }' "$counts" \
		>>"$OUT/results"
	sed -n 's/^failed\t//p' "$counts" >>"$OUT/failed"
	# In TAP, and in the words of tests/mount/lib.sh.
	sed -nE 's/^(not )?ok .*# SKIP ?(.*)/\2/p; s/^1\.\.0 # SKIP (.*)/\1/p' \
		"$OUT/logs/$suite"/*.out >>"$OUT/skipped"
	sed -nE 's/^# skipped: (.*)/\1/p' "$OUT/logs/$suite"/*.err >>"$OUT/skipped"
	say "$suite: $(tail -n 1 "$OUT/results" | cut -f 2-4 | tr '\t' ' ')" \
		"passed, failed, skipped ($seconds s)"
}

# tests SUITE: the list is OUT/lists/SUITE.
tests() {
	local suite=$1 began=$SECONDS name protocol limit command
	mkdir -p "$OUT/logs/$suite"
	if [ ! -s "$OUT/lists/$suite" ]; then
		result "$suite" failed 0 "$suite: there is no such test"
		return
	fi
	while IFS=$'\t' read -r name protocol limit command; do
		while [ "$(jobs -pr | wc -l)" -ge $AT_A_TIME ]; do wait -n; done
		echo "$suite: $name" >>"$OUT/now"
		listed_test "$suite" "$name" "$protocol" "$limit" "$command" &
	done <"$OUT/lists/$suite"
	wait
	sum_up "$suite" $((SECONDS - began))
}
