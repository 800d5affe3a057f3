"""bench large: memory while a large result and a large value go through a slow reader, and CPU per
gigabyte of COPY and of rows."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

from contestants import DATABASE, ROLE, Bench, Contestant, Shape
from holder import startup, until_ready
from plan import Plan
from process_use import cpu_seconds, resident_bytes
from report import Cell, absent
from scratch import HarnessError
from stats import paired_ratio

MEGABYTE = 1 << 20
MEMORY_GOAL = 64.0  # MB resident
PAUSE_SECONDS = 2
ROWS = "SELECT repeat('x', 1000) FROM generate_series(1, {count})"
CASES = (
    ("COPY out", "COPY (" + ROWS + ") TO STDOUT", 1_000_000),
    ("rows", ROWS, 1_000_000),
    ("one value", "SELECT repeat('x', {count} * 1000)", 500_000),
)


def _ask(contestant: Contestant, sql: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", contestant.dsn.port))
    stream.sendall(startup(ROLE, DATABASE))
    until_ready(stream)
    text = sql.encode() + b"\0"
    stream.sendall(b"Q" + struct.pack("!i", len(text) + 4) + text)
    return stream


def _read_all(stream: socket.socket, *, slow: bool, pid: int) -> tuple[int, int]:
    """Bytes read up to ReadyForQuery, and the most memory the process had meanwhile."""
    if slow:
        time.sleep(PAUSE_SECONDS)  # the proxy must not go on reading for us
    room = bytearray(MEGABYTE)
    total, most, tail, reads = 0, resident_bytes(pid), b"", 0
    while not tail.endswith(b"Z\0\0\0\x05I"):
        got = stream.recv_into(room)
        if got == 0:
            raise HarnessError("the connection ended within the result")
        total += got
        tail = (tail + bytes(room[max(0, got - 6) : got]))[-6:]
        reads += 1
        if slow and reads % 64 == 0:
            most = max(most, resident_bytes(pid))
            time.sleep(0.005)
    return total, max(most, resident_bytes(pid))


def _once(each: Contestant, sql: str, *, slow: bool) -> tuple[float, float, int]:
    """CPU seconds and seconds per GB, and the growth of memory in bytes."""
    before, memory = cpu_seconds(each.pid), resident_bytes(each.pid)
    began = time.monotonic()
    with _ask(each, sql) as stream:
        total, most = _read_all(stream, slow=slow, pid=each.pid)
    gigabytes = total / 1e9
    return ((cpu_seconds(each.pid) - before) / gigabytes,
            (time.monotonic() - began) / gigabytes, most - memory)  # fmt: skip


def _case(bench: Bench, name: str, sql: str, plan: Plan) -> Iterator[Cell]:
    contestants = {"postern": bench.postern(Shape()), "pgbouncer": bench.pgbouncer(Shape())}
    try:
        grown = {who: _once(each, sql, slow=True)[2] for who, each in contestants.items()}
        yield Cell(f"{name}, slow reader", "MB grown", grown["postern"] / MEGABYTE,
                   grown["pgbouncer"] / MEGABYTE, goal=MEMORY_GOAL).judge()  # fmt: skip
        runs: dict[str, list[tuple[float, float, int]]] = {who: [] for who in contestants}
        for _ in range(max(3, plan.pairs // 2)):
            for who, each in contestants.items():
                runs[who].append(_once(each, sql, slow=False))
        for unit, index in (("cpu s/GB", 0), ("s/GB", 1)):
            ours, peer = ([run[index] for run in runs[who]] for who in contestants)
            yield Cell(f"{name}", unit, sorted(ours)[len(ours) // 2], sorted(peer)[len(peer) // 2],
                       paired_ratio(ours, peer), 1.0).judge()  # fmt: skip
    finally:
        for each in contestants.values():
            each.process.stop()


def run(bench: Bench, plan: Plan) -> Iterator[Cell]:
    for name, sql, count in CASES:
        if not plan.wants(name):
            continue
        plan.say(f"large: {name}")
        try:
            rows = count // 10 if plan.short else count
            yield from _case(bench, name, sql.format(count=rows), plan)
        except HarnessError as error:
            yield absent(name, str(error))
