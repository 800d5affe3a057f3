"""--self-test: a bug is planted, and the part and item that must find it is asked to.

Every plant is tried twice: as it is nothing must be found, with the bug it must be.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout

import canary_part
import catalogue_part
import interference_part
import regress_part
import sqlsmith_part
from generator import Generator
from psql_client import psql
from report import Report
from twin import TWIN, make_twin
from world import SHOP, World

KNOWN_KID = "00112233"
# An attacker who knows a guard key signs what he likes; forge() is what he has installed.
FORGE = f"""\
CREATE OR REPLACE FUNCTION forge() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  said text; mac text; parts text[] := string_to_array(current_setting('postern.ctx'), '.');
BEGIN
  parts[3] := '{KNOWN_KID}';
  parts[4] := '32';
  said := array_to_string(parts[1:9], '.');
  mac := encode(sha256(decode(repeat('5c', 64), 'hex') || sha256(decode(repeat('36', 64), 'hex')
    || convert_to(said, 'UTF8'))), 'hex');
  RETURN set_config('postern.ctx', said || '.' || mac, false);
END $$;
"""


class SelfTest:
    """Counts what was found as it should be."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def expect(self, name: str, good: bool, told: str = "") -> None:
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'} {name}{'' if good else ': ' + told}", flush=True)


def items(world: World, *numbers: int) -> Report:
    """The attacks of some items, session pooling, without a word."""
    report = Report()
    with redirect_stdout(io.StringIO()):
        for item in catalogue_part.ITEMS:
            if item.number in numbers and not item.database:
                catalogue_part.attack(report, world, item, SHOP)
    return report


def finds(test: SelfTest, world: World, name: str, numbers: tuple[int, ...]) -> None:
    """Each of the items must fail, and say so under its own number."""
    for number in numbers:
        failed = items(world, number).failures
        good = any(row[1].startswith(f"{number:03d} ") for row in failed)
        test.expect(f"{name}: item {number} finds it", good, "it passed")


def wall_gone(test: SelfTest) -> None:
    """In mode gate the wall is not watched: what it held is seen to be open."""
    with World("gate", spoilt=False) as world:
        world.wait_until_served(SHOP)
        clean = items(world, 1, 5, 9, 42, 73)
        test.expect("wall gone: nothing before", not clean.failures, str(clean.failures[:2]))
        owner = world.superuser(SHOP)
        for table in ("cust", "moved"):
            owner.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY".encode())
        finds(test, world, "wall gone", (1, 5, 9, 42, 73))
        leaks = items(world, 2).leaks()
        test.expect("wall gone: it is called a leak", bool(leaks), "no leak")
        verified = world.policy("verify", SHOP)
        test.expect("wall gone: verify knows", verified.returncode == 1, verified.stdout[-200:])


def wide_policy(test: SelfTest) -> None:
    with World("gate", spoilt=False) as world:
        world.wait_until_served(SHOP)
        owner = world.superuser(SHOP)
        owner.execute("CREATE POLICY everyone ON cust USING (true) WITH CHECK (true)")
        verified = world.policy("verify", SHOP)
        test.expect("policy added: verify names it", verified.returncode == 1
                    and "everyone" in verified.stdout, verified.stdout[-200:])  # fmt: skip
        held = items(world, 1, 2)
        test.expect("policy added: the restrictive one holds", not held.leaks(), str(held.leaks()))
        owner.execute("ALTER POLICY postern_tenant ON cust USING (true) WITH CHECK (true)")
        finds(test, world, "policy widened", (1, 2, 22))


def key_known(test: SelfTest) -> None:
    with World(spoilt=False) as world:
        world.wait_until_served(SHOP)
        psql(world.superuser_dsn(SHOP), FORGE).checked()
        clean = items(world, 44)
        test.expect("key known: worthless before", not clean.leaks(), str(clean.leaks()))
        world.end_server_connections()
        world.superuser(SHOP).execute(
            "INSERT INTO postern.context_key (kid, inner_block, outer_block) VALUES"
            f" ('{KNOWN_KID}', decode(repeat('36', 64), 'hex'),"
            " decode(repeat('5c', 64), 'hex'))".encode()
        )
        leaks = items(world, 44, 99).leaks()
        numbers = sorted({row[1][:3] for row in leaks})
        test.expect("key known: items 44 and 99 call it a leak", numbers == ["044", "099"],
                    str(numbers))  # fmt: skip


def observing(test: SelfTest) -> None:
    with World("observe", spoilt=False) as world:
        finds(test, world, "mode observe", (101, 61, 65, 58, 98))


def canary_in_log(test: SelfTest) -> None:
    with World(spoilt=False) as world:
        world.wait_until_served(SHOP)
        with world.postern.log.path.open("a") as log:
            log.write("a careless line: T2-00000000ee\n")
        (world.postern.folder / "x.err").write_text("T2-00000000ef")
        report = Report()
        with redirect_stdout(io.StringIO()):
            canary_part.run(report, world)
        found = {row[1] for row in report.leaks()}
        test.expect("canary in the log", "log" in found, str(found))
        test.expect("canary in a left file", "x.err" in found, str(found))


def interfering(test: SelfTest) -> None:
    """A function that counts everyone's rows makes two victims distinguishable."""
    with World(spoilt=False) as world:
        interference_part.prepare(world)
        for database in (SHOP, "other"):
            owner = world.superuser(database)
            owner.execute("CREATE FUNCTION total() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS"
                          " 'SELECT count(*) FROM cust'")  # fmt: skip
            world.wait_until_served(database)
        tally = interference_part.Tally()
        script = ["SELECT total()", "SELECT name FROM cust ORDER BY id"]
        known = world.policy("verify", SHOP).returncode
        interference_part.one_script(world, tally, 0, script[1:])
        test.expect("interference: none without", not tally.different and tally.rows == 20,
                    str(tally.different))  # fmt: skip
        _until_known(world)
        interference_part.one_script(world, tally, 1, script)
        test.expect("interference: a count of all rows", bool(tally.different), f"verify {known}")
    one, two = Generator(5), Generator(5)
    test.expect("interference: a seed makes the same scripts",
                [one.script() for _ in range(20)] == [two.script() for _ in range(20)])  # fmt: skip


def _until_known(world: World) -> None:
    """Postern's snapshot follows the DDL of others within 5 s."""
    from scratch import wait_until
    from speak import ask_sql, open_session

    def known() -> bool:
        good = True
        for database in (SHOP, "other"):
            ear, login = open_session(world.login("t1", database))
            good = good and not login.closed and not ask_sql(ear, "SELECT total()").errors()
            ear.close()
        return good

    wait_until(known, "the function to be known", 20)


def wrong_rows(test: SelfTest) -> None:
    with World(spoilt=False) as world:
        login = make_twin(world)
        sides = sqlsmith_part.Side(login), sqlsmith_part.Side(world.login("t1", SHOP))
        tally = sqlsmith_part.Tally()
        sqlsmith_part.compare(tally, *sides, "SELECT id FROM cust")
        test.expect("sqlsmith: equal rows are equal", tally.executed == 1, str(tally))
        world.superuser(TWIN).execute("DELETE FROM cust WHERE tenant = 1 AND id = 3")
        sqlsmith_part.compare(tally, *sides, "SELECT id FROM cust")
        test.expect("sqlsmith: a missing row", len(tally.different) == 1, str(tally))
        sqlsmith_part.compare(tally, *sides, "SELECT lo_get(1) FROM cust")
        test.expect("sqlsmith: a refusal is counted", tally.refused.total() == 1, str(tally))


def bent_result(test: SelfTest) -> None:
    report = Report()
    same = {f"{name}.out": b"a\nb\n" for name in "abcdef"}
    with redirect_stdout(io.StringIO()):
        regress_part.compare(report, same, {**same, "c.out": b"a\nx\n"})
    test.expect("regress: a bent file", [row[1] for row in report.failures] == ["c.out"],
                str(report.failures))  # fmt: skip


PLANTS: tuple[Callable[[SelfTest], None], ...] = (
    wall_gone, wide_policy, key_known, observing, canary_in_log, interfering, wrong_rows,
    bent_result,
)  # fmt: skip


def main() -> int:
    test = SelfTest()
    for plant in PLANTS:
        try:
            plant(test)
        except Exception as error:  # the other plants still tell
            test.expect(plant.__name__, False, f"{type(error).__name__}: {error}")
    print(f"{test.passed} passed, {test.failed} failed")
    return 0 if test.passed and not test.failed else 1
