"""bench login: logins per second and CPU per login, SCRAM, with and without TLS."""

from __future__ import annotations

from collections.abc import Iterator

from contestants import Bench, Shape
from plan import Plan
from report import Cell, absent
from rounds import Load, run_series
from scratch import HarnessError

NO_QUERY = "\\set x 1\n"  # pgbench connects for each run of a script, and this one asks nothing


def run(bench: Bench, plan: Plan) -> Iterator[Cell]:
    scratch = bench.cluster.scratch
    script = scratch.write(scratch.path / "nothing.sql", NO_QUERY, 0o644)
    load = Load(clients=8, seconds=plan.seconds, reconnect=True, script=script, sampling=1)
    for name, tls in (("SCRAM", False), ("SCRAM and TLS", True)):
        if not plan.wants(name):
            continue
        plan.say(f"login storm, {name}")
        shape = Shape(scram=True, tls=tls, pool_size=40)
        contestants = []
        try:
            contestants = [bench.postern(shape), bench.pgbouncer(shape)]
            series = run_series(scratch, contestants, load, plan.pairs)
        except HarnessError as error:
            yield absent(f"login {name}", str(error))
            continue
        finally:
            for each in contestants:
                each.process.stop()
        rate = Cell(f"logins/s, {name}", "1/s", series.median("postern", "tps"),
                    series.median("pgbouncer", "tps"), series.ratio("postern", "pgbouncer", "tps"),
                    1.0, at_least=True)  # fmt: skip
        yield rate.judge()
        yield Cell(f"CPU per login, {name}", "µs", series.median("postern", "cpu"),
                   series.median("pgbouncer", "cpu"), series.ratio("postern", "pgbouncer", "cpu"),
                   1.0).judge()  # fmt: skip
