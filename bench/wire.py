"""bench wire: CPU per query against PgBouncer, for each protocol and pool mode, TLS, and with the
features of a protected database switched on."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace

from contestants import Bench, Contestant, Shape
from plan import Plan
from report import Cell, absent
from rounds import Load, Series, run_series
from scratch import HarnessError
from stats import bootstrap


@dataclass(frozen=True)
class Case:
    """Postern's shape and PgBouncer's. The goal bounds the ratio of CPU per query."""

    name: str
    protocol: str
    ours: Shape
    peer: Shape
    goal: float = 1.0
    floor: bool = False  # a plain TCP relay runs along


def cases() -> Iterator[Case]:
    session, transaction = Shape(), Shape(pool_mode="transaction")
    for protocol in ("simple", "extended", "prepared"):
        yield Case(f"session {protocol}", protocol, session, session, floor=protocol == "simple")
    for protocol in ("simple", "extended"):
        yield Case(f"transaction {protocol}", protocol, transaction, transaction)
    # PgBouncer 1.18 has no prepared statements in transaction mode: its session figure stands in.
    yield Case("transaction prepared", "prepared", transaction, session)
    tls = Shape(tls=True)
    yield Case("session simple TLS", "simple", tls, tls)
    gated = Shape(protected=True)
    for protocol in ("simple", "prepared"):
        yield Case(f"analysis and gate {protocol}", protocol, gated, session, goal=1.1)
        yield Case(f"batch audit {protocol}", protocol, replace(gated, audit=True), session,
                   goal=1.2)  # fmt: skip


def _cell(case: Case, series: Series, contestants: list[Contestant]) -> Cell:
    cell = Cell(
        case.name, "cpu µs/query", series.median("postern", "cpu"),
        series.median("pgbouncer", "cpu"), series.ratio("postern", "pgbouncer", "cpu"), case.goal,
    )  # fmt: skip
    cell.further = {
        "tps": series.median("postern", "tps"), "peer tps": series.median("pgbouncer", "tps"),
        "p50 µs": series.median("postern", "median"), "p99 µs": series.median("postern", "p99"),
        "peer p50 µs": series.median("pgbouncer", "median"),
        "peer p99 µs": series.median("pgbouncer", "p99"),
    }  # fmt: skip
    for other in contestants[2:]:
        cell.further[f"{other.name} cpu"] = series.median(other.name, "cpu")
    return cell.judge()


def _measure(bench: Bench, case: Case, plan: Plan) -> Cell:
    contestants = [bench.postern(case.ours), bench.pgbouncer(case.peer)]
    if case.floor:
        contestants.append(bench.haproxy(case.peer))
    try:
        load = Load(case.protocol, seconds=plan.seconds)
        series = run_series(bench.cluster.scratch, contestants, load, plan.pairs)
    finally:
        for each in contestants:
            each.process.stop()
    return _cell(case, series, contestants)


def _added_latency(bench: Bench, plan: Plan) -> Cell:
    """What one client waits longer than without a proxy."""
    shape = Shape()
    contestants = [bench.direct, bench.postern(shape), bench.pgbouncer(shape)]
    try:
        load = Load(clients=1, seconds=plan.seconds, sampling=0.5)
        series = run_series(bench.cluster.scratch, contestants, load, plan.pairs)
    finally:
        for each in contestants[1:]:
            each.process.stop()
    without = series.values("direct", "median")
    added = {name: [a - b for a, b in zip(series.values(name, "median"), without, strict=True)]
             for name in ("postern", "pgbouncer")}  # fmt: skip
    ours, peer = (statistics.median(added[name]) for name in ("postern", "pgbouncer"))
    if min(added["pgbouncer"]) <= 0:
        return absent("added latency, 1 client", "PgBouncer's was lost in the noise")
    ratio = bootstrap([a / b for a, b in zip(added["postern"], added["pgbouncer"], strict=True)])
    cell = Cell("added latency, 1 client", "µs", ours, peer, ratio, 1.0)
    cell.further = {"direct p50 µs": statistics.median(without)}
    return cell.judge()


def run(bench: Bench, plan: Plan) -> Iterator[Cell]:
    for case in cases():
        if not plan.wants(case.name):
            continue
        plan.say(case.name)
        try:
            yield _measure(bench, case, plan)
        except HarnessError as error:
            yield absent(case.name, str(error))
    if plan.wants("added latency"):
        plan.say("added latency")
        yield _added_latency(bench, plan)
