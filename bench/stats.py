"""Medians, ratios of paired rounds, and what a goal makes of an interval."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 4000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A median with a bootstrap interval."""

    median: float
    low: float
    high: float

    def contains(self, value: float) -> bool:
        return self.low <= value <= self.high

    def verdict(self, goal: float, *, at_least: bool = False) -> str:
        """"met" where the whole interval is on the goal's side, "missed" where none of it is."""
        if at_least:
            return Interval(-self.median, -self.high, -self.low).verdict(-goal)
        if self.high <= goal:
            return "met"
        return "missed" if self.low > goal else "not resolved"


def bootstrap(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """The median of the values, and where the medians of resamples of them lie."""
    if not values:
        raise ValueError("no values")
    source = random.Random(len(values))  # the same values give the same interval
    medians = sorted(
        statistics.median(source.choices(values, k=len(values))) for _ in range(RESAMPLES)
    )
    cut = int(RESAMPLES * (1 - confidence) / 2)
    return Interval(statistics.median(values), medians[cut], medians[-1 - cut])


def paired_ratio(
    ours: Sequence[float], peers: Sequence[float], confidence: float = CONFIDENCE
) -> Interval:
    """Interval of ours / peer's, round by round: what moved the machine moved both."""
    if len(ours) != len(peers):
        raise ValueError("rounds without a partner")
    return bootstrap([a / b for a, b in zip(ours, peers, strict=True)], confidence)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; of sorted or unsorted values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
