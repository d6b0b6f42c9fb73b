#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Count the single tests of a `meson test` run, for contrib/check.

    count_tests.py LOG_DIRECTORY

meson counts programs. A program that speaks TAP holds many tests, and meson's JUnit
file has each of them; one under Check alone prints how many it holds. Whether a program
as a whole went wrong (time out, crash, a test missing from the plan) is in testlog.json:
one that failed without any of its tests failing counts as one failed test more. Prints
what failed, then "N passed, N failed, N skipped". Exit status 1 if any failed, or if
none was run.
"""

import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def outcome(case):
    """passed, failed or skipped, of one <testcase>."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "skipped" if case.find("skipped") is not None else "passed"


def single_tests(junit):
    """{program: [(test, outcome)]} of the programs that have single tests.

    meson puts each program without any into a suite named after the project, as its
    only case; the suites of the others are named `project.program`.
    """
    tests = {}
    for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            tests.setdefault(suite.get("name"), []).append(
                (case.get("name"), outcome(case)))
    return tests


def program_outcome(result):
    """The same for meson's word on a whole program."""
    if result in ("OK", "EXPECTEDFAIL"):
        return "passed"
    return "skipped" if result == "SKIP" else "failed"


def checks_of(output):
    """The outcomes that Check's closing lines tell of, in no order."""
    outcomes = []
    for line in re.finditer(r"Checks: (\d+), Failures: (\d+), Errors: (\d+)", output):
        checks, failures, errors = map(int, line.groups())
        outcomes += ["failed"] * (failures + errors)
        outcomes += ["passed"] * (checks - failures - errors)
    return outcomes


def tests_of(program, suites):
    """The single tests of a line of testlog.json: [(name, outcome)]."""
    name = program["name"].split(" / ")[-1]
    whole = program_outcome(program["result"])
    tests = [(name, result) for result in checks_of(program.get("stdout", ""))]
    for suite, cases in suites.items():
        if suite.endswith("." + program["name"]):
            tests = [(f"{name}: {case}", result) for case, result in cases]
    if not tests:
        return [(name, whole)]
    if whole == "failed" and all(result != "failed" for _, result in tests):
        tests.append((f"{name}: {program['result']}", "failed"))
    return tests


def main():
    logs = Path(sys.argv[1])
    count = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        lines = (logs / "testlog.json").read_text(encoding="utf-8").splitlines()
        suites = single_tests(logs / "testlog.junit.xml")
    except OSError as error:
        print(f"no test was run: {error}")
        return 1
    for line in lines:
        for name, result in tests_of(json.loads(line), suites):
            count[result] += 1
            if result == "failed":
                print("failed:", name)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count))
    return 1 if count["failed"] or not count["passed"] else 0


sys.exit(main())
