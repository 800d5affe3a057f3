"""Tests of the method: equals must look equal, and a planted slow-down must be seen."""

from __future__ import annotations

import asyncio
import multiprocessing

from cluster import Cluster
from contestants import Bench, Contestant, Shape
from plan import Plan
from rounds import Load, run_series
from scratch import accepts_tcp, free_port, wait_until
from stats import Interval, bootstrap, paired_ratio

DELAY_SECONDS = 0.002
WIDE = 0.999  # so that chance fails the test once in a thousand runs
# No interval is wider than its values: all of n lie on one side of the truth once in 2^(n-1) runs.
EQUAL_PAIRS = 12


def _check(name: str, held: bool, detail: object) -> bool:
    print(f"{name} ... {'ok' if held else 'FAIL'} ({detail})", flush=True)
    return held


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            await asyncio.sleep(DELAY_SECONDS)
            sink.write(data)
    except ConnectionError:
        pass
    sink.close()


def _slow_relay(port: int, behind: int) -> None:
    """A TCP relay that lets everything wait."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, back = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(_carry(reader, back), _carry(onward, writer))

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(main())


def _arithmetic() -> list[bool]:
    close = Interval(0.99, 0.97, 1.0)
    unclear = Interval(1.0, 0.9, 1.1)
    return [
        _check("an interval on the goal is met", close.verdict(1.0) == "met", close),
        _check("across it is open", unclear.verdict(1.0) == "not resolved", unclear),
        _check("past it is missed", unclear.verdict(0.8) == "missed", unclear),
        _check("a lower bound counts the other way",
               Interval(1.2, 1.1, 1.3).verdict(1.0, at_least=True) == "met", "1.1 to 1.3"),
        _check("a constant has no spread", bootstrap([2.0] * 9) == Interval(2, 2, 2), "2"),
    ]  # fmt: skip


def _equals(bench: Bench, plan: Plan) -> bool:
    twins = [bench.pgbouncer(Shape(), name) for name in ("one", "other")]
    pairs = max(plan.pairs, EQUAL_PAIRS)
    series = run_series(bench.cluster.scratch, twins, Load(seconds=plan.seconds), pairs)
    found = paired_ratio(series.values("one", "cpu"), series.values("other", "cpu"), WIDE)
    return _check("PgBouncer equals itself", found.contains(1.0), found)


def _slowed(bench: Bench, plan: Plan) -> bool:
    postern = bench.postern(Shape())
    port = free_port()
    relay = multiprocessing.Process(
        target=_slow_relay, args=(port, postern.dsn.port), daemon=True
    )
    relay.start()
    try:
        wait_until(lambda: accepts_tcp(port), "the relay")
        slowed = Contestant("slowed", postern.dsn.to(port=port), postern.process)
        pairs = max(3, plan.pairs // 2)
        series = run_series(bench.cluster.scratch, [postern, slowed],
                            Load(seconds=plan.seconds), pairs)  # fmt: skip
    finally:
        relay.terminate()
        relay.join()
    found = series.ratio("slowed", "postern", "median")
    return _check("a planted delay is seen", found.low > 1.5, found)


def run(plan: Plan) -> int:
    results = _arithmetic()
    with Cluster("postern-bench-") as cluster:
        bench = Bench(cluster)
        results += [_equals(bench, plan), _slowed(bench, plan)]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1
