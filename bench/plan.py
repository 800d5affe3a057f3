"""How much of a benchmark is run."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Pairs of rounds and their seconds; `only` keeps the cells that contain one of the words."""

    pairs: int = 20
    seconds: int = 5
    short: bool = False
    only: tuple[str, ...] = ()

    def wants(self, cell: str) -> bool:
        return not self.only or any(word in cell for word in self.only)

    def say(self, what: str) -> None:
        """Progress, on standard error."""
        print(f"bench: {what}", file=sys.stderr, flush=True)
