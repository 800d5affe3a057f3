"""Clients that do not do what they say: the suite must find every one of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from programs import DRIVERS, Driver
from scratch import HarnessError
from steps import steps_of

# Reports steps as good without doing them.
_LIAR = """\
import sys
for name in sys.argv[1].split(","):
    print("ok", name)
print(sys.argv[2])
"""


def _liar(names: list[str], last_line: str = "") -> Sequence[str]:
    return [sys.executable, "-c", _LIAR, ",".join(names), last_line]


def _missing() -> Sequence[str]:
    raise HarnessError("no-such-driver is not installed")


def planted() -> list[tuple[Driver, str]]:
    """(client, what the suite has to say of it); each bears the name of a real driver."""
    name = "psycopg2"
    steps = steps_of(name)
    failing = _liar(steps[:-1], f"FAIL {steps[-1]} planted")
    honest = next(driver for driver in DRIVERS if driver.name == name)
    around = ["/usr/bin/env", "D_PORT=1", *map(str, honest.prepare())]
    return [
        (Driver(name, lambda: _liar(steps)), "passage"),
        (Driver(name, lambda: _liar(steps[1:])), "was not reported"),
        (Driver(name, lambda: failing), "planted"),
        (Driver(name, lambda: _liar([*steps, "invented"])), "is not a step"),
        (Driver(name, _missing), "is not installed"),
        (Driver(name, lambda: around), "was not reported"),
    ]
