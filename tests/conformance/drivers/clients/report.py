"""What the Python clients share: where to connect, the types, a line per step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

HOST = os.environ["D_HOST"]
PORT = int(os.environ["D_PORT"])
USER = os.environ["D_USER"]
PASSWORD = os.environ["D_PASSWORD"]
DBNAME = os.environ["D_DBNAME"]
CA = os.environ["D_CA"]
WRONG_CA = os.environ["D_WRONG_CA"]
# Without it pg_prepared_statements shows a connection that others prepare on as well.
OWN_SERVER = os.environ["D_MODE"] == "session" or os.environ["D_TARGET"] == "direct"


@dataclass(frozen=True)
class Type:
    """A row of types.tsv: `sql` names the type, `check` casts a value to comparable text."""

    name: str
    sql: str
    literal: str
    check: str


def types() -> Iterator[Type]:
    for line in Path(os.environ["D_TYPES"]).read_text(encoding="utf-8").splitlines():
        yield Type(*line.split("\t"))


def step(name: str, action: Callable[[], object]) -> None:
    """Runs one step and prints its line."""
    try:
        action()
    except Exception as error:  # a step may fail in any way; the others still run
        why = f"{type(error).__name__}: {error}".replace("\n", " | ")
        print(f"FAIL {name} {why}", flush=True)
    else:
        print(f"ok {name}", flush=True)


def expect(actual: object, wanted: object) -> None:
    if actual != wanted:
        raise AssertionError(f"{str(actual)[:200]!r} instead of {str(wanted)[:200]!r}")


def fails(kind: type[BaseException], action: Callable[[], object]) -> BaseException:
    """The exception of this kind that the action must raise."""
    try:
        action()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")
