"""bench idle: resident memory per idle client after one query in transaction mode, and whether 500
active clients among them see an error."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contestants import DATABASE, ROLE, Bench, Contestant, Shape
from plan import Plan
from process_use import resident_bytes
from report import Cell, absent
from rounds import Load, run_round
from scratch import HarnessError

HOLDER = Path(__file__).resolve().parent / "holder.py"
CLIENTS, SHORT_CLIENTS = 10_000, 2_000
ACTIVE = 500
WARM_CLIENTS = 64
SESSION_CLIENTS = 400  # each holds a server connection, which is counted with it
POOLS = {"transaction": 20, "session": 450}
GOALS = {"plain": 4.0, "tls": 40.0}  # KB a client
HOLD_SECONDS = 300
SETTLE_SECONDS = 2


@contextmanager
def holding(contestant: Contestant, count: int, transport: str) -> Iterator[None]:
    """`count` clients are connected, have asked once, and wait."""
    argv = [sys.executable, str(HOLDER), str(contestant.dsn.port), str(count), ROLE, DATABASE,
            transport, "query"]  # fmt: skip
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        said = process.stdout.readline()
        if said.strip() != f"held {count}":
            process.kill()
            raise HarnessError(f"{count} clients of {contestant.name}: "
                               f"{process.stderr.read().strip()[-300:]}")  # fmt: skip
        yield
    finally:
        process.stdin.close()
        process.wait(HOLD_SECONDS)


def _bytes_per_client(bench: Bench, each: Contestant, count: int, transport: str,
                      further: dict[str, object]) -> float:  # fmt: skip
    # What the first clients make a process allocate once is not what a client costs.
    with holding(each, WARM_CLIENTS, transport):
        pass
    time.sleep(SETTLE_SECONDS)
    before = resident_bytes(each.pid)
    with holding(each, count, transport):
        time.sleep(SETTLE_SECONDS)
        grown = resident_bytes(each.pid) - before
        if count > SESSION_CLIENTS:
            active = run_round(bench.cluster.scratch, each, Load(clients=ACTIVE, seconds=5))
            further[f"{each.name}, {ACTIVE} active: tps"] = active.tps
    return grown / count


def _cell(bench: Bench, transport: str, count: int) -> Cell:
    mode = "session" if count == SESSION_CLIENTS else "transaction"
    shape = Shape(pool_mode=mode, pool_size=POOLS[mode], tls=transport == "tls")
    further: dict[str, object] = {"clients": count}
    used = []
    for start in (bench.postern, bench.pgbouncer):
        each = start(shape)
        try:
            used.append(_bytes_per_client(bench, each, count, transport, further) / 1024)
        finally:
            each.process.stop()
    cell = Cell(f"idle client, {mode}, {transport}", "KB resident", used[0], used[1],
                goal=GOALS[transport], further=further)  # fmt: skip
    return cell.judge()


def run(bench: Bench, plan: Plan) -> Iterator[Cell]:
    count = SHORT_CLIENTS if plan.short else CLIENTS
    for transport in GOALS:
        if not plan.wants(transport):
            continue
        for clients in (count, SESSION_CLIENTS):
            plan.say(f"{clients} idle clients, {transport}")
            try:
                cell = _cell(bench, transport, clients)
                # This benchmark takes its time: what is known is said at once.
                plan.say(f"  {cell.ours:.1f} KB a client, PgBouncer {cell.peer:.1f}")
                yield cell
            except HarnessError as error:
                yield absent(f"{clients} idle clients, {transport}", str(error))
