"""Rounds of pgbench against several contestants in turn, and what each round measured."""

from __future__ import annotations

import random
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contestants import Contestant
from process_use import cpu_seconds
from scratch import HarnessError, Scratch
from stats import Interval, paired_ratio, quantile

WARM_UP_SECONDS = 1


@dataclass(frozen=True)
class Load:
    """One pgbench call. `script` replaces the built-in point read."""

    protocol: str = "simple"
    clients: int = 8
    seconds: int = 5
    reconnect: bool = False
    script: Path | None = None
    sampling: float = 0.1  # of the transactions whose latency is kept


@dataclass(frozen=True)
class Round:
    """Per query: CPU of the proxy in µs. Latencies in µs."""

    tps: float
    cpu: float
    median: float
    p99: float


@dataclass
class Series:
    """The rounds of each contestant; the i-th rounds of all ran next to each other."""

    rounds: dict[str, list[Round]] = field(default_factory=dict)

    def values(self, name: str, what: str) -> list[float]:
        return [getattr(each, what) for each in self.rounds[name]]

    def median(self, name: str, what: str) -> float:
        return statistics.median(self.values(name, what))

    def ratio(self, ours: str, peer: str, what: str) -> Interval:
        return paired_ratio(self.values(ours, what), self.values(peer, what))


def run_round(scratch: Scratch, contestant: Contestant, load: Load) -> Round:
    """One pgbench run; HarnessError where a client failed."""
    logs = scratch.folder("pgbench")
    for old in logs.glob("log*"):
        old.unlink()
    argv: list[str | Path] = [
        "pgbench", "-n", "-M", load.protocol, "-c", str(load.clients), "-T", str(load.seconds),
        "-l", "--log-prefix=log", f"--sampling-rate={load.sampling}",
    ]  # fmt: skip
    argv += ["-f", load.script] if load.script else ["-S"]
    if load.reconnect:  # connecting blocks, so each client has its thread
        argv += ["-C", "-j", str(load.clients)]
    pid = contestant.process.pid if contestant.process else None
    before = cpu_seconds(pid) if pid else 0.0
    done = scratch.run(argv, env=contestant.dsn.environment(), cwd=logs,
                       timeout=load.seconds + 60)  # fmt: skip
    used = cpu_seconds(pid) - before if pid else 0.0
    if done.returncode != 0:
        raise HarnessError(f"pgbench through {contestant.name}: {done.stderr.strip()[-400:]}")
    count = _number(r"transactions actually processed: (\d+)", done.stdout)
    tps = _number(r"tps = ([\d.]+)", done.stdout)
    latencies = [float(line.split()[2]) for log in logs.glob("log*")
                 for line in log.read_text().splitlines()]  # fmt: skip
    if not latencies or not count:
        raise HarnessError(f"pgbench through {contestant.name} measured nothing")
    return Round(tps, used * 1e6 / count, statistics.median(latencies), quantile(latencies, 0.99))


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise HarnessError(f"pgbench's report lacks {pattern}")
    return float(found[1])


def run_series(
    scratch: Scratch, contestants: Sequence[Contestant], load: Load, pairs: int
) -> Series:
    """`pairs` rounds of everyone, in an order drawn anew each time, after a warm-up."""
    series = Series({each.name: [] for each in contestants})
    warm = Load(**{**load.__dict__, "seconds": WARM_UP_SECONDS})
    for each in contestants:
        run_round(scratch, each, warm)
    for _ in range(pairs):
        for each in random.sample(list(contestants), len(contestants)):
            series.rounds[each.name].append(run_round(scratch, each, load))
    return series
