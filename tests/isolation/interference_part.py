"""Part `interference`: what an attacker is sent does not depend on the victim's rows.

Every script is sent to two databases that differ in the victim's rows alone: their number, their
keys' range, their values, and so the statistics. The two byte streams must be equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import data
from generator import Generator
from report import Report
from speak import Answer, ask_sql, open_session
from wire import Message
from world import BY_TRANSACTION, SHOP, World

PART = "interference"
SCRIPTS, SHORT_SCRIPTS = 1200, 150
OTHER = "other"
COPY_HEADER = b"PGCOPY\n\xff\r\n\0"
OTHER_SEED, OTHER_ROWS = 991, 47
FRESH_ROWS_EVERY = 10
# Declared: what differs between two databases or two moments whoever asks.
MASKS = (
    (re.compile(rb"(Execution|Planning) Time: [0-9.]+ ms"), rb"\1 Time: #"),
    (re.compile(rb"(Execution|Planning) Time\": [0-9.]+"), rb"\1 Time: #"),
    (re.compile(rb"\b(?:shop|other)(?:_tx)?\b"), b"@database@"),
)


@dataclass
class Tally:
    scripts: int = 0
    bytes: int = 0
    rows: int = 0
    only_order: int = 0
    only_calls: int = 0
    without_rows: list[int] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


def run(report: Report, world: World, seed: int, count: int) -> None:
    generator = Generator(seed)
    prepare(world)
    tally = Tally()
    before = {name: world.digest(name) for name in (SHOP, OTHER)}
    if before[SHOP] == before[OTHER]:
        report.row(PART, "two victims", False, "both databases hold the same")
    for number in range(count):
        if number % FRESH_ROWS_EVERY == 0:
            _refill(world)
        one_script(world, tally, number, generator.script())
        if number % FRESH_ROWS_EVERY == FRESH_ROWS_EVERY - 1:
            now = {name: world.digest(name) for name in (SHOP, OTHER)}
            if now != before:
                tally.different.append(f"LEAK: script {number} or one before it changed the victim")
                before = now
    _tell(report, tally, count)


def prepare(world: World) -> None:
    _refill(world)
    for database in (SHOP, OTHER):
        world.superuser(database).execute("ANALYZE")
        world.wait_until_served(database)
        world.wait_until_served(database + BY_TRANSACTION)


def _refill(world: World) -> None:
    world.fill(SHOP, world.seed)
    world.fill(OTHER, OTHER_SEED, OTHER_ROWS)


def one_script(world: World, tally: Tally, number: int, script: list[str]) -> None:
    pooling = BY_TRANSACTION if number % 2 else ""
    streams = [play(world, database + pooling, script) for database in (SHOP, OTHER)]
    tally.scripts += 1
    world.heard += sum(len(heard) for _, heard in streams)
    tally.bytes += sum(len(m.body) + 5 for a in streams[0][0] for m in a.messages)
    rows = sum(len(answer.rows()) for answer in streams[0][0])
    tally.rows += rows
    if not rows:
        tally.without_rows.append(number)
    told = difference(script, streams[0][0], streams[1][0])
    if told.startswith("order"):
        tally.only_order += 1
    elif told.startswith("calls"):
        tally.only_calls += 1
    elif told:
        tally.different.append(f"LEAK: script {number}: {told}")
    for _, heard in streams:
        if found := data.find_canaries(heard):
            tally.different.append(f"LEAK: script {number} was sent {found[:3]}: {script}")


def play(world: World, database: str, script: list[str]) -> tuple[list[Answer], bytes]:
    """The answers to a script in a session of its own, and all bytes heard."""
    ear, login = open_session(world.login("t1", database))
    answers = [login] if login.closed else []
    for sql in script:
        if answers and answers[-1].closed:
            break
        answers.append(ask_sql(ear, sql))
    ear.close()
    return answers, bytes(ear.heard)


def masked(message: Message) -> tuple[str, bytes]:
    body = message.body
    if message.type == "d" and body.startswith(COPY_HEADER):
        body = body[len(COPY_HEADER) + 8 :]  # it comes in one message with the first row
    for pattern, stands_for in MASKS:
        body = pattern.sub(stands_for, body)
    return message.type, body


def without_notices(messages: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [message for message in messages if message[0] != "N"]


def same_but_for_order(a: list[tuple[str, bytes]], b: list[tuple[str, bytes]]) -> bool:
    return sorted(a) == sorted(b) and [t for t, _ in a] == [t for t, _ in b]


def difference(script: list[str], one: list[Answer], two: list[Answer]) -> str:
    """Where two streams differ. "order" where only the order of rows does, "calls" where only the
    notices of the attacker's own function do: the plan decides how often and when it is called."""
    order = ""
    if len(one) != len(two):
        return f"{len(one)} and {len(two)} answers: {script}"
    for sql, left, right in zip(script, one, two, strict=False):
        a, b = ([masked(m) for m in answer.messages] for answer in (left, right))
        if a == b and left.closed == right.closed:
            continue
        if same_but_for_order(a, b):
            order = order or "order"
            continue
        if "peek(" in sql and same_but_for_order(without_notices(a), without_notices(b)):
            order = "calls"
            continue
        pair = next(((x, y) for x, y in zip(a, b, strict=False) if x != y), (len(a), len(b)))
        return f"{sql!r} is answered with {str(pair[0])[:300]} and {str(pair[1])[:300]}"
    return order


def _tell(report: Report, tally: Tally, count: int) -> None:
    report.note(PART, f"{tally.scripts} scripts, {tally.bytes} bytes compared, {tally.rows} rows,"
                f" {tally.only_order} scripts with another order of the same rows,"
                f" {tally.only_calls} with other calls of the attacker's function")  # fmt: skip
    report.row(PART, "scripts", tally.scripts >= count, f"{tally.scripts} of {count}")
    report.row(PART, "every script saw rows", not tally.without_rows,
               f"scripts without: {tally.without_rows[:10]}")  # fmt: skip
    report.row(PART, "equal bytes for different victims", not tally.different,
               "\n    ".join(["LEAK:", *tally.different[:12]]))
