"""The parts of the suite, and which world they need."""

from __future__ import annotations

import argparse
import time

import catalogue_part
import interference_part
import sqlsmith_part
from report import Report
from world import World

PARTS = ("catalogue", "interference", "sqlsmith", "canaries", "regress", "lint")


def run(report: Report, given: argparse.Namespace) -> None:
    wanted = tuple(given.parts) or PARTS
    if "catalogue" in wanted:
        with World(seed=given.seed) as world:
            _timed(report, "catalogue", lambda: catalogue_part.run(
                report, world, given.short, tuple(given.item)))  # fmt: skip
    if "interference" in wanted:
        count = interference_part.SHORT_SCRIPTS if given.short else interference_part.SCRIPTS
        with World(spoilt=False, seed=given.seed) as world:
            _timed(report, "interference", lambda: interference_part.run(
                report, world, given.seed, count))  # fmt: skip
    if "sqlsmith" in wanted:
        count = sqlsmith_part.SHORT_STATEMENTS if given.short else sqlsmith_part.STATEMENTS
        with World(spoilt=False, seed=given.seed) as world:
            _timed(report, "sqlsmith", lambda: sqlsmith_part.run(
                report, world, given.seed, count))  # fmt: skip


def _timed(report: Report, part: str, play: object) -> None:
    began = time.monotonic()
    try:
        play()  # type: ignore[operator]
    except Exception as error:  # the other parts still tell what they find
        report.row(part, "the part itself", False, f"{type(error).__name__}: {error}")
    report.note(part, f"{time.monotonic() - began:.0f} s")
