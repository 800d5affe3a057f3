"""Parts `regress` and `isolation`: PostgreSQL's own suites, result file by result file."""

from __future__ import annotations

import time
from dataclasses import replace

import sources
from bed import Bed
from report import REASONS, Report
from result_files import Outcome, Suite, of_isolation, of_regress, run_suite, told

# The groups that --short takes over from the schedules: reconnects, COPY, cursors, temporary
# objects, prepared statements, notices, settings.
REGRESS_SHORT = (
    "test: test_setup",
    "test: boolean char name varchar text int2 int4 int8 float4 float8 numeric txid uuid enum",
    "test: strings point lseg line box path polygon circle date time timetz timestamp timestamptz"
    " interval",
    "test: horology expressions unicode encoding errors",
    "test: copy copyselect copydml insert insert_conflict",
    "test: create_function_c create_misc create_table create_type create_schema",
    "test: create_index create_view",
    "test: create_aggregate create_function_sql constraints triggers select inherit vacuum",
    "test: transactions portals arrays prepared_xacts join subselect union",
    "test: privileges lock password matview rowsecurity",
    "test: async misc_functions guc advisory_lock portals_p2 foreign_key",
    "test: plancache plpgsql copy2 temp domain prepare conversion largeobject rowtypes with",
    "test: psql",
)
ISOLATION_SHORT = (
    "test: read-only-anomaly simple-write-skew deadlock-simple deadlock-hard async-notify"
    " lock-nowait nowait skip-locked timeouts temp-schema-cleanup drop-index-concurrently-1"
    " insert-conflict-do-nothing two-ids detach-partition-concurrently-1",
)
WAITS = b"<waiting ...>"
WAITS_REASON = "backend-identity"


def run_part(report: Report, part: str, pool_mode: str, short: bool) -> None:
    suite = _suite(part, short)
    direct = _run(suite, "")
    every, left_out = len(direct.results), ""
    if part == "isolation" and pool_mode != "session":
        suite, direct = _without_waits(suite, direct)
        left_out = (f"; {every - len(direct.results)} left out ({WAITS_REASON}:"
                    f" {REASONS[WAITS_REASON]}; a step waits for a lock)")  # fmt: skip
    proxied = _run(suite, pool_mode)
    count = len(direct.results)
    report.row(part, "result files", 0 < count == len(proxied.results),
               f"{every} direct, {len(proxied.results)} of {count} through Postern"
               f"{left_out}")  # fmt: skip
    report.row(part, "passage", proxied.statements > 0,
               f"{proxied.statements} statements through Postern")  # fmt: skip
    compare(report, part, direct, proxied)
    report.note(part, f"PostgreSQL {sources.suites().version}'s suite, pool_mode {pool_mode}")


def _suite(part: str, short: bool) -> Suite:
    found = sources.suites()
    if part == "regress":
        return of_regress(found, REGRESS_SHORT if short else (), sources.PG_REGRESS)
    return of_isolation(found, ISOLATION_SHORT if short else (), sources.ISOLATION_REGRESS)


def _without_waits(suite: Suite, direct: Outcome) -> tuple[Suite, Outcome]:
    """isolationtester asks pg_locks whether the process of BackendKeyData waits. Under transaction
    pooling that is no process: what waits for a lock cannot be judged, and it would hang."""
    calm = {name: text for name, text in direct.results.items() if WAITS not in text}
    specs = [name.removesuffix(".out") for name in calm]
    lines = tuple(f"test: {spec}" for spec in specs)
    return replace(suite, schedule=lines), replace(direct, results=calm)


def _run(suite: Suite, pool_mode: str) -> Outcome:
    began = time.monotonic()
    with Bed(pool_mode) as bed:
        outcome = run_suite(bed, suite)
    where = f"through Postern, {pool_mode}" if pool_mode else "direct"
    print(f"{suite.name} {where}: {len(outcome.results)} result files,"
          f" {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    return outcome


def compare(report: Report, part: str, direct: Outcome, proxied: Outcome) -> None:
    """File by file; a file of only one run differs."""
    for name in sorted({*direct.results, *proxied.results}):
        left, right = direct.results.get(name), proxied.results.get(name)
        report.compared(part, name, "" if left == right else told(left, right))
