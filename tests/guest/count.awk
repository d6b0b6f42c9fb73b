# SPDX-License-Identifier: MIT
#
# Count the single tests of one program, by what it printed: TAP, Check's closing lines, or
# nothing but its exit status. -v name=, protocol= (tap or exitcode), status=, seconds=.
# Prints a line `counted PASSED FAILED SKIPPED SECONDS NAME`, and `failed NAME: WHAT` for
# each that failed, with tabs between the words.
#
# As contrib/count_tests.py: a program that went wrong without any of its tests failing
# counts as one failed test more; so does one that did not run all that it had announced.

function fail(what) {
	failed++
	printf "failed\t%s: %s\n", name, what
}

protocol == "tap" && /^ok / {
	if (/# SKIP/)
		skipped++
	else
		passed++
}
protocol == "tap" && /^not ok / { fail(substr($0, 8)) }
protocol == "tap" && /^1\.\.[0-9]/ {
	announced = substr($0, 4) + 0
	planned = 1
	none = announced == 0
}

protocol != "tap" && /Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
	numbers = $0
	gsub(/[^0-9 ]/, "", numbers)
	split(numbers, n, " ")
	# "100%: Checks: 3, Failures: 0, Errors: 0"
	checks = n[2]
	bad = n[3] + n[4]
	for (i = 0; i < bad; i++)
		fail("a test under Check")
	passed += checks - bad
}

END {
	run = passed + failed + skipped
	if (none && !run && !status)
		skipped = 1
	else if (protocol == "tap" && (!planned || run != announced))
		fail(run + 0 " of " (planned ? announced : "?") " tests were run, exit status " status)
	else if (protocol != "tap" && !run && status == 77)
		skipped = 1
	else if (protocol != "tap" && !run && !status)
		passed = 1
	else if (status && !failed)
		fail(status == 124 || status == 137 ? "time limit" : "exit status " status)
	printf "counted\t%d\t%d\t%d\t%d\t%s\n", passed, failed, skipped, seconds, name
}
