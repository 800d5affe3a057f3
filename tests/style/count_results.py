#!/usr/bin/python3
"""Counts a ctest run from its JUnit file: prints "PASSED FAILED".

A doctest program counts with its cases, any other test as one. A program that ended badly without
reporting a failed case counts as one failure.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

CASES = re.compile(r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed")


def count_test(case):
    """(passed, failed) of one <testcase>."""
    good = case.get("status") == "run"
    found = CASES.findall(case.findtext("system-out") or "")
    if not found:
        return (1, 0) if good else (0, 1)
    passed, failed = (int(number) for number in found[-1])
    if not good and failed == 0:
        failed = 1
    return passed, failed


def main():
    passed = failed = 0
    for case in ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        good, bad = count_test(case)
        passed += good
        failed += bad
    print(passed, failed)


main()
