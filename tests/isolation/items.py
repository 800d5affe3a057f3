"""The form of a catalogue item, and how its steps are judged.

A step is a statement and what must come of it. `refused` and the others below build steps; an item
is two lists of them: what the attacker does, and the honest use of the same construct.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from speak import Answer

if TYPE_CHECKING:
    from stage import Stage

# What a refusal may say: not allowed, not supported, not there, a read-only or broken session.
DENIALS = frozenset({"42501", "0A000", "ZP002", "ZP003", "ZP605", "28000", "25001", "55000"})
# A name that is not there for the one who asks.
ABSENT = frozenset({"42883", "42P01", "42704", "3F000", "34000", "26000", "42703", "02000"})

REFUSED, OWN, NONE, EITHER, DONE, PREPARE, EQUAL, CALL = (
    "refused", "own rows", "no rows", "refused or no foreign rows", "done", "prepares", "equals",
    "function",
)  # fmt: skip

Check = Callable[["Stage"], str]


@dataclass(frozen=True)
class Step:
    sql: str
    expect: str
    values: tuple[str | None, ...] | None = None  # parameters: by the extended protocol
    value: str = ""
    codes: frozenset[str] = DENIALS
    copy: bytes = b""
    login: str = "t1"
    check: Check | None = None


@dataclass(frozen=True)
class Item:
    number: int
    name: str
    attack: tuple[Step, ...]
    twin: tuple[Step, ...]
    database: str = ""  # a spoilt copy; empty: the shop, under both kinds of pooling
    marks: tuple[str, ...] = field(default=())

    def label(self) -> str:
        return f"{self.number:03d} {self.name}"


def steps(*parts: Step | list[Step]) -> tuple[Step, ...]:
    found: list[Step] = []
    for part in parts:
        found += [part] if isinstance(part, Step) else part
    return tuple(found)


def refused(*sql: str, codes: frozenset[str] = DENIALS) -> list[Step]:
    """An error, and not a row."""
    return [Step(text, REFUSED, codes=codes) for text in sql]


def absent(*sql: str) -> list[Step]:
    """Refused, or the server does not know such a thing."""
    return refused(*sql, codes=DENIALS | ABSENT)


def own(*sql: str) -> list[Step]:
    """No error, at least one row seen or written, none of them foreign."""
    return [Step(text, OWN) for text in sql]


def none(*sql: str) -> list[Step]:
    """No error, and not a row seen or written."""
    return [Step(text, NONE) for text in sql]


def either(*sql: str) -> list[Step]:
    """Whatever comes, nothing of the victim is in it."""
    return [Step(text, EITHER) for text in sql]


def done(*sql: str) -> list[Step]:
    """No error."""
    return [Step(text, DONE) for text in sql]


def first(*sql: str) -> list[Step]:
    """A step on the way that is not judged itself."""
    return [Step(text, PREPARE) for text in sql]


def equal(sql: str, value: object) -> Step:
    """No error, and this one value."""
    return Step(sql, EQUAL, value=str(value))


def bound(step: Step | list[Step], *values: str | None) -> list[Step]:
    """The same by the extended protocol."""
    return [replace(one, values=values) for one in ([step] if isinstance(step, Step) else step)]


def copied(step: list[Step], rows: bytes) -> list[Step]:
    """What a COPY FROM STDIN is given."""
    return [replace(one, copy=rows) for one in step]


def by(login: str, *parts: Step | list[Step]) -> list[Step]:
    """Steps of another login, in a session of its own."""
    return [replace(one, login=login) for one in steps(*parts)]


def call(check: Check, name: str = "") -> Step:
    """A function of the stage; it returns what is wrong, or nothing."""
    return Step(name or check.__name__, CALL, check=check)


def judge(step: Step, answer: Answer) -> str:
    """What is wrong with an answer; empty where it is as it must be."""
    errors = answer.errors()
    if step.expect == REFUSED:
        if answer.rows():
            return f"gave {len(answer.rows())} rows: {answer.rows()[0]}"
        if not errors:
            return "was not refused"
        strange = [code for code in errors if code not in step.codes]
        return f"was answered with {answer.told()}" if strange else ""
    if step.expect in (EITHER, PREPARE):
        return ""
    if errors or answer.closed:
        return f"failed: {answer.told()}"
    if step.expect == OWN and not answer.touched():
        return "gave no rows"
    if step.expect == NONE and answer.touched():
        return f"gave {answer.touched()} rows"
    if step.expect == EQUAL and answer.rows() != [(step.value,)]:
        return f"gave {answer.rows()[:3]}, not {step.value}"
    return ""
