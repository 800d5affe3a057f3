"""Part `lint`: `postern policy lint` names seeded mistakes, in its own suite and here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from report import Report
from spoilt import SPOILT
from world import SHOP, World

PART = "lint"
SUITE = Path(__file__).resolve().parents[1] / "policylint" / "run"
SUITE_SECONDS = 600


def run(report: Report, world: World, short: bool) -> None:
    for database, spoilt in SPOILT.items():
        if spoilt.object:
            _names(report, world, database, spoilt.object)
    clean = world.policy("lint", SHOP)
    said = (clean.stdout + clean.stderr).strip()[-600:]
    report.row(PART, "silent on the clean shop", clean.returncode == 0,
               f"ended with {clean.returncode}: {said}")  # fmt: skip
    _own_suite(report, short)


def _names(report: Report, world: World, database: str, wanted: str) -> None:
    done = world.policy("lint", database)
    good = done.returncode == 1 and wanted in done.stdout
    said = (done.stdout or done.stderr).strip()[-200:]
    report.row(PART, f"{database} names {wanted}", good, f"ended with {done.returncode}: {said}")


def _own_suite(report: Report, short: bool) -> None:
    if not SUITE.exists():
        report.row(PART, "suite", False, "tests/policylint/run is not there")
        return
    argv = [sys.executable, str(SUITE), *(["--short"] if short else [])]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SUITE_SECONDS, check=False)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    counted = re.fullmatch(r"(\d+) passed, (\d+) failed", last)
    good = counted is not None and counted[2] == "0" and int(counted[1]) > 0
    report.row(PART, f"suite: {last}", good and done.returncode == 0, done.stdout[-1500:])
