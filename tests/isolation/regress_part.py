"""Part `regress`: PostgreSQL's own tests of row security and rights, as `admin` behind the wall.

An administrator's login is not judged, only recorded: what the suite prints is what it prints
without Postern.
"""

from __future__ import annotations

import sources
from protected_bed import ProtectedBed
from report import Report
from result_files import Outcome, of_regress, run_suite, told

PART = "regress"
SCHEDULE = (
    "test: test_setup", "test: insert_conflict", "test: updatable_views", "test: merge",
    "test: privileges", "test: rowsecurity",
)  # fmt: skip


def run(report: Report) -> None:
    try:
        found = sources.suites()
    except sources.SourceError as error:
        report.row(PART, "the suites", False, str(error))
        return
    suite = of_regress(found, SCHEDULE, sources.PG_REGRESS)
    outcomes: list[Outcome] = []
    for protected in (False, True):
        with ProtectedBed(protected) as bed:
            outcomes.append(run_suite(bed, suite, bed.prepare))
    direct, proxied = outcomes
    compare(report, direct.results, proxied.results)
    report.row(PART, "passage", proxied.statements > 1000, f"{proxied.statements} statements")
    report.note(PART, f"{proxied.statements} statements as admin on a walled database")


def compare(report: Report, direct: dict[str, bytes], proxied: dict[str, bytes]) -> None:
    """File by file."""
    report.row(PART, "result files", len(direct) == len(SCHEDULE) == len(proxied),
               f"{len(direct)} direct, {len(proxied)} through Postern")  # fmt: skip
    for name in sorted({*direct, *proxied}):
        left, right = direct.get(name), proxied.get(name)
        report.row(PART, name, left == right, "" if left == right else told(left, right))
