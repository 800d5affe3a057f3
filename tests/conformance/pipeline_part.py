"""Part `pipeline`: libpq_pipeline of PostgreSQL's test modules; its traces direct and proxied."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

import sources
from bed import Bed
from report import Report
from suites_part import told

ROWS = 700  # as PostgreSQL's own test runs it
TIMEOUT_SECONDS = 60
# pipelined_insert sends as the socket takes it: its trace tells the weather.
UNTRACED = ("pipelined_insert", "uniqviol")


@dataclass(frozen=True)
class Run:
    """What one test of the program left."""

    code: int
    said: str
    trace: bytes


def run(report: Report, pool_mode: str) -> None:
    runs = []
    for mode in ("", pool_mode):
        with Bed(mode) as bed:
            program = bed.folder / "libpq_pipeline"
            shutil.copyfile(sources.suites().libpq_pipeline, program)
            program.chmod(0o755)
            names = bed.cluster.scratch.run([program, "tests"]).stdout.split()
            runs.append({name: _one(bed, name) for name in names})
            count = bed.statements()
    direct, proxied = runs
    report.row("pipeline", "passage", count > 0, f"{count} statements through Postern")
    for name, expected in direct.items():
        good = expected.code == 0 == proxied[name].code
        said = proxied[name].said or expected.said
        report.row("pipeline", f"{name} runs", good, "" if good else said)
        if name in UNTRACED:
            continue
        same = expected.trace == proxied[name].trace and expected.trace != b""
        report.compared("pipeline", f"{name}.trace",
                        "" if same else told(expected.trace, proxied[name].trace) or "is empty")
    report.note("pipeline", f"libpq_pipeline of PostgreSQL {sources.suites().version}")


def _one(bed: Bed, name: str) -> Run:
    folder = bed.cluster.scratch.folder("traces", 0o777)
    trace = folder / f"{name}.trace"
    login = bed.front.to(sslmode="disable").environment()
    done = bed.cluster.scratch.run(
        [bed.folder / "libpq_pipeline", "-r", str(ROWS), "-t", trace, name, "dbname=postgres"],
        env=login, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    seen = trace.read_bytes() if trace.exists() else b""
    seen = re.sub(rb"(?m)^.*BackendKeyData.*\n", b"", seen)
    return Run(done.returncode, done.stderr.strip()[-300:], seen)
