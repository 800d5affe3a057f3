"""Part `bytes`: the same frontend bytes direct and through Postern, message by message."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Iterator

import byte_cases
from bed import Bed
from big_values import big_values
from byte_logins import logins
from byte_random import Generator
from byte_replay import Case, Replay, Segmenter, difference, random_cuts, single_bytes, whole
from psql_client import psql, rows
from report import Report
from scratch import HarnessError, wait_until
from wire import query, session

POOL_SIZE = 2  # the next client gets what the last one left
SINGLE_BYTES_UP_TO = 4096
RANDOM_SCRIPTS, RANDOM_SCRIPTS_SHORT = 1500, 100
DISCONNECTS, DISCONNECTS_SHORT = 300, 40
SEED = 20240607
CLEAN_SECONDS = 10.0
# What a session must not find of the one before it.
STATEMENTS = "SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql"
# Under transaction pooling servers keep what Postern prepared there under names of its own.
SHARED = " AND name !~ '^postern_'"
LEFT_BEHIND = (
    "SELECT count(*) FROM pg_cursors",
    "SELECT count(*) FROM pg_listening_channels()",
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
    "SELECT current_setting('TimeZone'), current_setting('DateStyle'),"
    " current_setting('client_min_messages')",
    "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND pg_table_is_visible(oid)",
)


class Oracle:
    """Two databases made of one template: one is talked to directly, one through Postern."""

    def __init__(self, bed: Bed, pool_mode: str) -> None:
        self.bed = bed
        psql(bed.direct, "CREATE DATABASE oracle_t").checked()
        psql(bed.direct.to(dbname="oracle_t"), *byte_cases.PRELUDE).checked()
        for name in ("oracle_d", "oracle_p"):
            psql(bed.direct, f"CREATE DATABASE {name} TEMPLATE oracle_t").checked()
        self.direct = bed.direct.to(dbname="oracle_d")
        self.through = bed.through.to(dbname="oracle_p")
        self.statements = STATEMENTS + ("" if pool_mode == "session" else SHARED)

    def compare(self, case: Case, cut: Segmenter) -> str:
        """The first difference of the two transcripts; empty where they are equal."""
        transcripts = []
        for dsn, how in ((self.direct, whole), (self.through, cut)):
            try:
                replay = Replay(dsn)
            except OSError as error:
                return f"no login before it: {error}"
            try:
                transcripts.append(replay.play(case, how))
            finally:
                replay.close()
        return difference(*transcripts)

    def leave_within(self, data: bytes, rng: random.Random) -> None:
        """Sends a part of it and is gone, politely or not."""
        replay = Replay(self.through)
        try:
            replay.wire.socket.sendall(data)
            if rng.random() < 0.5:
                time.sleep(rng.choice((0.001, 0.01)))
            if rng.random() < 0.5:  # a reset instead of an end
                linger = struct.pack("ii", 1, 0)
                replay.wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        except OSError:
            pass  # the script had ended the session, or the answers fill the line
        finally:
            replay.close()

    def unclean(self) -> str:
        """What the server still holds of sessions that are gone; empty where nothing."""
        busy = (
            "SELECT state, left(query, 60) FROM pg_stat_activity WHERE datname = 'oracle_p'"
            " AND state <> 'idle'"
        )
        try:
            wait_until(lambda: not rows(self.bed.direct, busy), "idle servers", CLEAN_SECONDS)
        except HarnessError:
            return f"still at work: {rows(self.bed.direct, busy)}"
        found = []
        for dsn in (self.direct, self.through):
            with session(dsn) as wire:
                asked = [wire.ask(query(text)) for text in (self.statements, *LEFT_BEHIND)]
                found.append([got.body for answer in asked for got in answer if got.type == "D"])
        return "" if found[0] == found[1] else f"left behind: {found[1]}, fresh: {found[0]}"


def _segmented(case: Case, number: int, short: bool) -> Iterator[tuple[str, Segmenter]]:
    yield "whole", whole
    yield "random segments", random_cuts(SEED + number)
    if len(case.data()) <= SINGLE_BYTES_UP_TO and not short:
        yield "single bytes", single_bytes


def run(report: Report, pool_mode: str, short: bool) -> None:
    with Bed(pool_mode, pool_size=POOL_SIZE) as bed:
        oracle = Oracle(bed, pool_mode)
        logins(report, bed, oracle.through, oracle.direct)
        _named(report, oracle, short)
        _random(report, oracle, RANDOM_SCRIPTS_SHORT if short else RANDOM_SCRIPTS)
        _disconnects(report, oracle, DISCONNECTS_SHORT if short else DISCONNECTS)
        big_values(report, bed, oracle.through, oracle.direct, short)
        count = bed.statements()
        report.row("bytes", "passage", count > 0, f"{count} statements through Postern")
        died = not bed.postern.process.running()
        report.row("bytes", "Postern serves on", not died, bed.postern.log.tail(3) if died else "")


def _named(report: Report, oracle: Oracle, short: bool) -> None:
    every = byte_cases.cases()
    for number, case in enumerate(every):
        found = ""
        for name, cut in _segmented(case, number, short):
            told = oracle.compare(case, cut)
            if told and not found:
                found = f"{name}: {told}"
        report.compared("bytes", case.name, found)
    singly = "" if short else f" and, up to {SINGLE_BYTES_UP_TO} bytes, byte by byte"
    report.note("bytes", f"{len(every)} named scripts, each whole, in random segments{singly}")


def _random(report: Report, oracle: Oracle, count: int) -> None:
    differing = []
    for number in range(count):
        case = Generator(SEED + number).case()
        for dsn in (oracle.direct, oracle.through):  # a difference must not spread to the next
            with session(dsn.to(port=oracle.bed.direct.port)) as wire:
                if not any(got.type == "C" for got in wire.ask(query("TRUNCATE copied"))):
                    raise HarnessError("TRUNCATE copied failed")
        cut = random_cuts(number) if number % 2 else whole
        told = oracle.compare(case, cut)
        if told:
            differing.append(f"{case.name}: {told}")
    detail = f"{count} scripts" + "".join(f"\n    {line}" for line in differing[:8])
    report.row("bytes", "random scripts", not differing, detail)


def _disconnects(report: Report, oracle: Oracle, count: int) -> None:
    rng = random.Random(SEED)
    named = byte_cases.cases()
    bad = []
    for number in range(count):
        case = rng.choice(named) if number % 3 else Generator(SEED - number).case()
        data = case.data()
        cut = rng.randint(1, len(data))
        oracle.leave_within(data[:cut], rng)
        if told := oracle.unclean():
            bad.append(f"{case.name}, after {cut} bytes: {told}")
            break
    detail = f"{count} sessions cut off" + "".join(f"\n    {line}" for line in bad)
    report.row("bytes", "disconnects", not bad, detail)


