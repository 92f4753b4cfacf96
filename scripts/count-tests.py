#!/usr/bin/env python3
"""Counts tests in a suite's output: prints the numbers of passed, failed and skipped ones, and below them the name of each failed one.

    scripts/count-tests.py LOG STATUS

Knows cargo, Maven's Surefire, XCTest and Swift Testing. Output without any of them counts as one check, which STATUS (0 or not) decides.
A suite that failed without a failed test, a build that broke for instance, counts as one failure.
"""

import re
import sys

PATTERNS = [
    # cargo: test result: ok. 3 passed; 0 failed; 1 ignored; ...
    (r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored", lambda p, f, s: (p, f, s)),
    # Surefire's sum of a module: Tests run: 5, Failures: 0, Errors: 1, Skipped: 0 (classes add their time on the same line)
    (r"Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)\s*$", lambda n, f, e, s: (n - f - e - s, f + e, s)),
    # Swift Testing: Test run with 12 tests in 3 suites passed after ...
    (r"Test run with (\d+) tests?(?: in \d+ suites?)? passed", lambda n: (n, 0, 0)),
    # Swift Testing numbers issues, not failed tests: at least one.
    (r"Test run with (\d+) tests?(?: in \d+ suites?)? failed", lambda n: (n - 1, 1, 0)),
]
# XCTest sums up at every level; the last line is the whole.
XCTEST = r"Executed (\d+) tests?, with (?:(\d+) tests? skipped and )?(\d+) failures?"

FAILED = [
    # cargo: test kept::a_title_is_kept ... FAILED
    r"^test (.+) \.\.\. FAILED$",
    # Surefire: [ERROR] org.whimbrel.app.ScreenTest.a question is answered -- Time elapsed: 1.2 s <<< FAILURE!
    r"^\[ERROR\] (\S.*?) --? ?Time elapsed: .*<<< (?:FAILURE|ERROR)!$",
    # XCTest: Test Case 'ModelTests.testAnswer' failed (0.1 seconds)
    r"^Test Case '(.+)' failed",
    # Swift Testing: ✘ Test "an answer streams" failed after 0.1 seconds with 1 issue.
    r"^\S+ Test (?!run with)(.+?) failed after",
]


def count(log, status):
    sums = [0, 0, 0]
    for pattern, split in PATTERNS:
        for match in re.finditer(pattern, log, re.MULTILINE):
            sums = [old + new for old, new in zip(sums, split(*map(int, match.groups())))]
    executed = re.findall(XCTEST, log)
    if executed:
        tests, skipped, failures = (int(number or 0) for number in executed[-1])
        failed = min(failures, tests)
        sums = [sums[0] + tests - skipped - failed, sums[1] + failed, sums[2] + skipped]
    if status and not sums[1]:
        sums[1] = 1
    if not any(sums):
        sums[0] = 1
    return sums


def failed(log):
    """The names of the failed tests, each once, in their order."""
    found = ((match.start(), match[1]) for pattern in FAILED for match in re.finditer(pattern, log, re.MULTILINE))
    return list(dict.fromkeys(name for _, name in sorted(found)))


def main():
    with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
        log = re.sub(r"\x1b\[[0-9;]*m", "", file.read())
    print(*count(log, sys.argv[2] != "0"))
    print(*failed(log), sep="\n", end="")


if __name__ == "__main__":
    main()
