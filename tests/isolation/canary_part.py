"""Part `canaries`: the victim's values are in nothing that Postern keeps or tells."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import catalogue_part
import data
from report import Report
from stage import Stage
from world import SHOP, World

PART = "canaries"
# The victim at work: values as literals, as parameters, in errors, in refused and broken texts.
TEXT = "T2-0123456789"
VICTIM_SAYS = (
    f"SELECT ssn, name FROM cust WHERE ssn = '{TEXT}'", "SELECT * FROM cust", "TABLE ord",
    f"INSERT INTO moved VALUES (2, 990, '{TEXT}')", f"INSERT INTO moved VALUES (2, 990, '{TEXT}')",
    f"SELECT '{TEXT}'::int", f"SELECT FROM WHERE '{TEXT}'", f"DO $$ '{TEXT}' $$",
    f"SELECT 1 /* {TEXT} */", f"SELECT $$ {TEXT} $$", f"SET search_path = '{TEXT}'",
    f"UPDATE cust SET name = '{TEXT}' WHERE id = 501", "RESET search_path",
    f"PREPARE p AS SELECT '{TEXT}'", "EXECUTE p", f"SELECT pg_read_file('{TEXT}')",
    f"SELECT set_config('role', '{TEXT}', false)",
    "SELECT v FROM part ORDER BY id", "COPY (SELECT ssn FROM cust) TO STDOUT",
)  # fmt: skip
ATTACKS = (2, 22, 23, 43, 59, 76, 77, 105, 115, 116, 145, 152)


def run(report: Report, world: World) -> None:
    work(world)
    places = 0
    total = 0
    for name, content in everywhere(world):
        found = data.find_canaries(content)
        places, total = places + 1, total + len(content)
        report.row(PART, name, not found, f"LEAK: {', '.join(found[:3])}")
    report.row(PART, "places", places >= 8, f"only {places} places were searched")
    report.note(PART, f"{places} places, {total} bytes; attackers heard {world.heard} bytes")


def work(world: World) -> None:
    """The victim works, attackers attack, under both kinds of pooling."""
    for database in (SHOP, "shop_tx"):
        world.wait_until_served(database)
        with Stage(world, database, 0) as stage:
            for sql in VICTIM_SAYS:
                stage.say(sql, "t2")
            stage.say_bound("SELECT * FROM cust WHERE ssn = $1", (TEXT,), "t2")
            stage.say_bound("SELECT $1::int", (TEXT,), "t2")
            stage.say_bound("INSERT INTO moved VALUES (2, 991, $1)", (TEXT,), "t2")
        for item in catalogue_part.ITEMS:
            if item.number in ATTACKS and not item.database:
                with Stage(world, database, item.number) as stage:
                    stage.play(item.attack)
                    stage.canaries()
        world.fill(database, world.seed)


def everywhere(world: World) -> Iterator[tuple[str, bytes]]:
    """Every place where something could have been left, and what it holds."""
    postern = world.postern
    url = f"http://127.0.0.1:{postern.ports.admin}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        yield "metrics", answer.read()
    with Stage(world, "postern", 0) as stage:
        shown = [stage.say(f"SHOW {what}", "postgres").rows()
                 for what in ("CLIENTS", "SERVERS", "POOLS", "STATS", "DATABASES")]  # fmt: skip
        yield "console", str(shown).encode()
    yield "Redis", world.cluster.redis.dump()
    postern.stop()
    yield "log", postern.log.since().encode()
    yield "audit export", postern.cli("audit", "search", "-c", "postern.toml").stdout.encode()
    for path in sorted(postern.folder.rglob("*")):
        if path.is_file() and path.name != "postern":
            yield str(path.relative_to(postern.folder)), path.read_bytes()
    for folder in (postern.folder, world.cluster.scratch.path):
        yield f"core files in {folder.name}", b"".join(_cores(folder))


def _cores(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.glob("core*")) + sorted(folder.glob("*.err")):
        if path.is_file():
            yield path.read_bytes()
