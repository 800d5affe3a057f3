"""The parts of the suite, and which world they need."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import canary_part
import catalogue_part
import interference_part
import lint_part
import regress_part
import sqlsmith_part
from report import Report
from world import World

PARTS = ("catalogue", "lint", "interference", "sqlsmith", "canaries", "regress")


def run(report: Report, given: argparse.Namespace) -> None:
    wanted = tuple(given.parts) or PARTS
    if {"catalogue", "lint"} & set(wanted):
        _spoilt_world(report, given, wanted)
    if {"interference", "canaries"} & set(wanted):
        _clean_world(report, given, wanted)
    if "sqlsmith" in wanted:
        count = sqlsmith_part.SHORT_STATEMENTS if given.short else sqlsmith_part.STATEMENTS
        _timed(report, "sqlsmith", lambda: _in_world(
            given, lambda world: sqlsmith_part.run(report, world, given.seed, count)))  # fmt: skip
    if "regress" in wanted:
        _timed(report, "regress", lambda: regress_part.run(report))


def _spoilt_world(report: Report, given: argparse.Namespace, wanted: tuple[str, ...]) -> None:
    def play(world: World) -> None:
        if "catalogue" in wanted:
            _timed(report, "catalogue", lambda: catalogue_part.run(
                report, world, given.short, tuple(given.item)))  # fmt: skip
        if "lint" in wanted:
            _timed(report, "lint", lambda: lint_part.run(report, world, given.short))

    _timed(report, "catalogue and lint", lambda: _in_world(given, play, spoilt=True))


def _clean_world(report: Report, given: argparse.Namespace, wanted: tuple[str, ...]) -> None:
    count = interference_part.SHORT_SCRIPTS if given.short else interference_part.SCRIPTS

    def play(world: World) -> None:
        if "interference" in wanted:
            _timed(report, "interference", lambda: interference_part.run(
                report, world, given.seed, count))  # fmt: skip
        if "canaries" in wanted:
            _timed(report, "canaries", lambda: canary_part.run(report, world))

    _timed(report, "interference and canaries", lambda: _in_world(given, play))


def _in_world(
    given: argparse.Namespace, play: Callable[[World], None], spoilt: bool = False
) -> None:
    with World(spoilt=spoilt, seed=given.seed) as world:
        play(world)


def _timed(report: Report, part: str, play: Callable[[], None]) -> None:
    began = time.monotonic()
    try:
        play()
    except Exception as error:  # the other parts still tell what they find
        report.row(part, "the part itself", False, f"{type(error).__name__}: {error}")
    report.note(part, f"{time.monotonic() - began:.0f} s")
