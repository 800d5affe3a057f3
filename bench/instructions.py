"""bench instructions: what a query costs in instructions of user space, counted by callgrind, and
in system calls, counted by strace. Unlike times, both say the same on a busy machine."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from contestants import Bench, Contestant
from plan import Plan
from report import Cell, absent
from scratch import HarnessError, wait_until
from stats import Interval
from wire import Case, cases

# Transactions of each client. The counts of a short and a long run are subtracted, so that logging
# in does not count; the warm-up is long enough for every server connection to be open.
CLIENTS, WARM_UP, SHORT, LONG = 8, 600, 50, 250
PROFILES = Path(__file__).resolve().parent.parent / "build" / "profiles"


def _load(bench: Bench, contestant: Contestant, protocol: str, transactions: int) -> None:
    argv = ["pgbench", "-n", "-S", "-M", protocol, "-c", str(CLIENTS), "-t", str(transactions)]
    done = bench.cluster.scratch.run(argv, env=contestant.dsn.environment(), timeout=300)
    if done.returncode != 0:
        raise HarnessError(f"pgbench through {contestant.name}: {done.stderr.strip()[-400:]}")


def _per_query(run: Callable[[int], Counter[str]]) -> Counter[str]:
    """By what was counted: what a query adds. `run` counts during so many transactions."""
    run(WARM_UP)
    short, long = run(SHORT), run(LONG)
    queries = CLIENTS * (LONG - SHORT)
    return Counter({what: max(0.0, (long[what] - short[what]) / queries) for what in long})


def _instructions(bench: Bench, case: Case, start: Callable[[], Contestant]) -> float:
    """The profile of the long run is kept under build/profiles."""
    folder = bench.cluster.scratch.folder("callgrind")
    for old in folder.iterdir():
        old.unlink()
    bench.under = ("valgrind", "--tool=callgrind", "-q", f"--callgrind-out-file={folder}/out")
    contestant = start()
    dumps = 0

    def run(transactions: int) -> Counter[str]:
        nonlocal dumps
        _load(bench, contestant, case.protocol, transactions)
        dumps += 1
        dump = folder / f"out.{dumps}"
        asked = bench.cluster.scratch.run(["vgdb", f"--pid={contestant.pid}", "dump"])
        if asked.returncode != 0 or not dump.exists():
            raise HarnessError(f"callgrind wrote no profile: {asked.stderr.strip()}")
        total = re.search(r"^totals: (\d+)$", dump.read_text(), re.MULTILINE)
        return Counter(instructions=int(total[1]) if total else 0)

    try:
        counted = _per_query(run)
    finally:
        contestant.process.stop()
    PROFILES.mkdir(parents=True, exist_ok=True)
    kept = PROFILES / f"{case.name.replace(' ', '-')}.{contestant.name}.callgrind"
    shutil.copyfile(folder / f"out.{dumps}", kept)
    return counted["instructions"]


def _system_calls(bench: Bench, case: Case, start: Callable[[], Contestant]) -> Counter[str]:
    log = bench.cluster.scratch.folder("strace") / "calls"
    # As a grandchild of what it watches, so that we have the program's own process id.
    bench.under = ("strace", "-D", "-f", "-qq", "-o", str(log))
    contestant = start()

    def run(transactions: int) -> Counter[str]:
        before = log.stat().st_size
        _load(bench, contestant, case.protocol, transactions)
        with log.open("rb") as calls:
            calls.seek(before)
            lines = calls.read().decode("utf-8", "replace").splitlines()
        named = (re.match(r"\d+ +(\w+)\(", line) for line in lines)
        return Counter(match[1] for match in named if match)

    try:
        return _per_query(run)
    finally:
        contestant.process.stop()
        wait_until(lambda: not contestant.process.running(), "strace to end")


def _calls_text(calls: Counter[str]) -> str:
    parts = [f"{name} {count:.2f}" for name, count in calls.most_common() if count >= 0.02]
    return f"{sum(calls.values()):.2f} ({', '.join(parts)})"


def _measure(bench: Bench, case: Case) -> Cell:
    starts = (lambda: bench.postern(case.ours), lambda: bench.pgbouncer(case.peer))
    try:
        ours, peer = (_instructions(bench, case, start) for start in starts)
        our_calls, peer_calls = (_system_calls(bench, case, start) for start in starts)
    finally:
        bench.under = ()
    ratio = Interval(*(3 * [ours / peer]))
    further: dict[str, object] = {"system calls": _calls_text(our_calls),
                                  "peer's": _calls_text(peer_calls)}  # fmt: skip
    return Cell(case.name, "instructions", ours, peer, ratio, further=further)


def run(bench: Bench, plan: Plan) -> Iterator[Cell]:
    missing = [tool for tool in ("valgrind", "strace") if shutil.which(tool) is None]
    if missing:
        raise HarnessError(f"{missing[0]} is not installed: ./dev deps bench")
    for case in cases():
        if not plan.wants(case.name):
            continue
        plan.say(case.name)
        try:
            yield _measure(bench, case)
        except HarnessError as error:
            yield absent(case.name, str(error))
