"""A benchmark's cells as an aligned table, as JSON, and as a line of history each."""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path

from stats import Interval

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
HEADINGS = ("cell", "unit", "ours", "peer", "ratio", "95 % interval", "goal", "verdict", "further")


@dataclass
class Cell:
    """One comparison. `goal` bounds the ratio, or ours where there is no peer; an `at_least` goal
    bounds it from below. `further` is what else was measured, by name."""

    name: str
    unit: str
    ours: float
    peer: float | None = None
    ratio: Interval | None = None
    goal: float | None = None
    at_least: bool = False
    verdict: str = "-"
    further: dict[str, object] = field(default_factory=dict)

    def judge(self) -> Cell:
        """Fills in the verdict from the goal."""
        if self.goal is not None:
            found = self.ratio or Interval(self.ours, self.ours, self.ours)
            self.verdict = found.verdict(self.goal, at_least=self.at_least)
        return self

    @property
    def failed(self) -> bool:
        return self.verdict == "missed"


def absent(name: str, why: str) -> Cell:
    """A cell that could not be measured, and why."""
    return Cell(name, "-", 0.0, verdict="not measured", further={"why": why})


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _row(cell: Cell) -> tuple[str, ...]:
    ratio = cell.ratio
    goal = "-"
    if cell.goal is not None:
        goal = ("≥ " if cell.at_least else "≤ ") + f"{cell.goal:g}"
    further = ", ".join(
        f"{key} {_text(value) if isinstance(value, float) else value}"
        for key, value in cell.further.items()
    )
    return (
        cell.name, cell.unit, _text(cell.ours), _text(cell.peer),
        f"{ratio.median:.3f}" if ratio else "-",
        f"{ratio.low:.3f} – {ratio.high:.3f}" if ratio else "-",
        goal, cell.verdict, further,
    )  # fmt: skip


def table(cells: list[Cell]) -> str:
    rows = [HEADINGS, *(_row(cell) for cell in cells)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
             for row in rows]  # fmt: skip
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """What the figures depend on, without naming the machine."""
    model = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {"cpu": model, "processors": os.cpu_count(), "kernel": platform.release(),
            "load": round(os.getloadavg()[0], 2)}  # fmt: skip


def _commit() -> str:
    done = subprocess.run(["git", "-C", HERE, "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    return done.stdout.strip() or "unknown"


def as_json(benchmark: str, cells: list[Cell], settings: dict[str, object]) -> dict[str, object]:
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return {"benchmark": benchmark, "date": now, "commit": _commit(), "machine": machine(),
            "settings": settings, "cells": [asdict(cell) for cell in cells]}  # fmt: skip


def remember(result: dict[str, object]) -> None:
    """Adds the result to the benchmark's history."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{result['benchmark']}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(result, ensure_ascii=False) + "\n")
