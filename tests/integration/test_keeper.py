"""Keeper and Monitor against real servers: catalog, fingerprint, wall drift, roles, promotion."""

from __future__ import annotations

import os
import re
import time
import subprocess
import unittest
from pathlib import Path
from typing import ClassVar

from base import ClusterTest, create_database, load_llama_mapper
from cluster import Cluster
from psql_client import Dsn, connect, psql
from scratch import wait_until

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "keeper_service"
SERVICE_PASSWORD = "service-secret"
TENANT = '[tenant]\ncolumn = "tenant_id"\nguard_key_file = "guard.key"\n'


def driver_binary() -> Path:
    """POSTERN_PGTEST_KEEPER, or the newest of the build folders."""
    given = os.environ.get("POSTERN_PGTEST_KEEPER")
    found = [Path(given)] if given else list(ROOT.glob("build/*/tests/pgtest_keeper"))
    if not found:
        raise unittest.SkipTest("pgtest_keeper is not built")
    return max(found, key=lambda path: path.stat().st_mtime)


class Driver:
    """The test binary; one command, one line of answer."""

    def __init__(
        self, cluster: Cluster, name: str, ports: list[int], more: str, *flags: str
    ) -> None:
        folder = cluster.scratch.folder(name, 0o755)
        nodes = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
        config = (
            f'[cluster.main]\nnodes = [{nodes}]\nconnect_timeout = "2s"\n'
            '[database."*"]\ncluster = "main"\n[auth]\nmethod = "trust"\n'
            f"{more}"
        )
        path = cluster.scratch.write(folder / "postern.toml", config)
        self._log = (folder / "log").open("w+")
        self._process = subprocess.Popen(
            [driver_binary(), str(path), *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip

    def ask(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise AssertionError(f"the driver ended at {command!r}:\n{self.log()}")
        return answer.rstrip("\n")

    def log(self) -> str:
        self._log.flush()
        self._log.seek(0)
        return self._log.read()

    def close(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        code = self._process.wait(timeout=20)
        self._process.stdout.close()
        self._log.close()
        return code


def service(database_password: str = SERVICE_PASSWORD) -> str:
    return f'[service]\nuser = "{SERVICE}"\npassword = "{database_password}"\n'


def field(answer: str, name: str) -> str:
    found = re.search(rf"(?:^| ){name}=(\S*)", answer)
    return found.group(1) if found else ""


class KeeperTest(ClusterTest):
    database: ClassVar[Dsn]

    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary()
        cls.cluster.primary.scalar(
            f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{SERVICE_PASSWORD}'"
        )
        cls.database = create_database(cls.cluster, "mapper")
        load_llama_mapper(cls.database)

    def driver(self, more: str, name: str | None = None, *flags: str) -> Driver:
        name = name or self.id().rsplit(".", 1)[1]
        made = Driver(self.cluster, name, [self.cluster.primary.port], more, *flags)
        self.addCleanup(made.close)
        return made

    def run_sql(self, *commands: str) -> None:
        psql(self.database, *commands, flags=("-q",)).checked()

    def epoch(self, driver: Driver) -> int:
        return int(field(driver.ask("protection mapper"), "epoch"))

    def test_relay_needs_nothing(self) -> None:
        driver = self.driver(service())
        self.assertEqual(driver.ask("ensure mapper"), "ok")
        self.assertEqual(driver.ask("protection mapper"), "none")

    def test_protected_without_service_is_blocked(self) -> None:
        driver = self.driver(TENANT + service(), None, "--without-service")
        self.assertEqual(driver.ask("ensure mapper"), "ok")
        state = driver.ask("protection mapper")
        self.assertIn("protected=1 catalog=0 blocked=PST-1308", state)
        self.assertIn("[service]", state)

    def test_unprotected_without_service_has_no_catalog(self) -> None:
        driver = self.driver("[routing]\n" + service(), None, "--without-service")
        self.assertEqual(driver.ask("ensure mapper"), "ok")
        self.assertIn("protected=0 catalog=0 blocked=no", driver.ask("protection mapper"))

    def test_errors(self) -> None:
        driver = self.driver(TENANT + service())
        self.assertTrue(driver.ask("ensure nowhere").startswith("PST-1307"))
        self.assertEqual(driver.ask("protection nowhere"), "none")
        wrong = self.driver(TENANT + service("wrong"), "wrong_password")
        answer = wrong.ask("ensure mapper")
        self.assertTrue(answer.startswith("PST-1305"), answer)
        self.assertIn("28P01", answer)
        self.assertNotIn("wrong", answer)
        self.assertEqual(wrong.ask("protection mapper"), "none")
        table = '[[table]]\nname = "public.userz"\ntenant_column = "tenant_id"\n'
        misspelt = self.driver(TENANT + service() + table, "misspelt")
        answer = misspelt.ask("ensure mapper")
        self.assertIn("public.users", answer)
        self.assertEqual(misspelt.ask("protection mapper"), "none")

    def test_what_is_not_built_refuses(self) -> None:
        masked = '[[column]]\ntable = "public.users"\nname = "phone"\nmask = "partial"\n'
        driver = self.driver(TENANT + service() + masked)
        answer = driver.ask("ensure mapper")
        self.assertTrue(answer.startswith("PST-1308"), answer)

    def test_catalog_of_the_fixture(self) -> None:
        driver = self.driver('[policy]\nmode = "gate"\n' + TENANT + service())
        self.assertEqual(driver.ask("ensure mapper"), "ok")
        users = driver.ask("relation mapper public.users")
        self.assertEqual(field(users, "kind"), "r")
        self.assertEqual(
            field(users, "columns"),
            "tenant_id:text!,user_id:int8!,email:text!,full_name:text!,phone:text,"
            "national_id:text!,birth_date:date,role:text!=,created_at:timestamptz!=",
        )
        keys = sorted(field(users, "keys").rstrip(";").split(";"))
        self.assertEqual(keys, ["P1+2", "U1+3", "U1+6"])
        self.assertEqual(field(users, "foreign"), "1>tenants/1aa;")
        events = driver.ask("relation mapper public.events")
        self.assertEqual(field(events, "kind"), "p")
        self.assertEqual(
            field(events, "children"),
            "events_2025_01,events_2025_02,events_2025_03,events_2025_04,events_default",
        )
        leaf = driver.ask("relation mapper public.events_default")
        self.assertEqual(field(leaf, "parents"), "events")
        self.assertEqual(driver.ask("relation mapper public.nothing"), "none")
        counts = driver.ask("counts mapper")
        oid = self.cluster.primary.scalar("SELECT oid FROM pg_database WHERE datname = 'mapper'")
        self.assertEqual(field(counts, "oid"), oid)
        self.assertEqual(field(counts, "text"), "1")
        self.assertEqual(field(counts, "equal"), "1")
        self.assertGreaterEqual(int(field(counts, "lower")), 2)
        expected = self.cluster.primary.scalar(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE "
            "relkind IN ('r','p','v','m','f','S','c') AND relpersistence <> 't' "
            "AND nspname <> 'pg_toast'",
            "mapper",
        )
        self.assertEqual(field(counts, "relations"), expected)

    def test_catalog_of_views_policies_and_rules(self) -> None:
        self.run_sql(
            "CREATE SCHEMA odd; SET search_path = odd;"
            "CREATE TABLE ruled (id int);"
            "CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);"
            "CREATE FUNCTION f(int, VARIADIC int[]) RETURNS int LANGUAGE sql AS 'SELECT 1';"
            "CREATE VIEW v1 AS SELECT id, odd.f(id, 1) FROM t;"
            "CREATE VIEW v2 WITH (security_invoker) AS SELECT * FROM v1;"
            "CREATE MATERIALIZED VIEW m AS SELECT * FROM v2;"
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
            "CREATE POLICY own ON t USING (id > 0);"
            "CREATE POLICY shared ON t USING (EXISTS (SELECT FROM ruled WHERE ruled.id = t.id AND"
            " current_user <> '' AND now() > '2020-01-01' AND odd.f(1, 2) = ANY (ARRAY[1]))"
            " OR (SELECT max(id) FROM v1) > 5) WITH CHECK (random() > 2);"
            "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();"
            "CREATE RULE r AS ON DELETE TO ruled DO INSTEAD NOTHING;"
        )
        driver = self.driver("[routing]\n" + service())
        self.assertEqual(driver.ask("ensure mapper"), "ok")
        table = driver.ask("relation mapper odd.t")
        self.assertEqual(field(table, "columns"), "id:int4!,twice:int4=*")
        called = ",".join(sorted(("f", "int4eq", "int4gt", "max", "now", "namene",
                                  "timestamptz_gt", "now"))) + ","  # fmt: skip
        wanted = f"own(t|int4gt,);shared(ruled,t,v1|{called});"
        self.assertEqual(field(table, "policies").replace("now,now", "now"),
                         wanted.replace("now,now", "now"))  # fmt: skip
        self.assertEqual(field(table, "rls"), "10")
        self.assertEqual(field(table, "triggers"), "1")
        self.assertEqual(field(table, "rules"), "0")
        self.assertEqual(field(driver.ask("relation mapper odd.ruled"), "rules"), "1")
        first = driver.ask("relation mapper odd.v1")
        self.assertEqual((field(first, "reads"), field(first, "calls")), ("t", "1"))
        self.assertEqual(field(first, "invoker"), "0")
        second = driver.ask("relation mapper odd.v2")
        self.assertEqual((field(second, "reads"), field(second, "calls")), ("t,v1", "1"))
        self.assertEqual(field(second, "invoker"), "1")
        self.assertEqual(field(driver.ask("relation mapper odd.m"), "reads"), "t,v1,v2")
        self.run_sql("DROP SCHEMA odd CASCADE")

    def test_catalog_knows_of_code_that_may_move_the_path(self) -> None:
        session = connect(self.database)
        self.addCleanup(session.close)
        session.execute("CREATE SCHEMA moving")
        plain = ("BEGIN UPDATE moving.t SET a = 1; INSERT INTO moving.t VALUES (1) ON CONFLICT DO"
                 " NOTHING; RETURN NEW; END")  # fmt: skip
        session.execute(f"CREATE FUNCTION moving.still() RETURNS trigger LANGUAGE plpgsql"
                        f" AS $$ {plain} $$")  # fmt: skip
        driver = self.driver("[routing]\n" + service())
        self.assertEqual(driver.ask("ensure mapper"), "ok")
        self.assertEqual(field(driver.ask("counts mapper"), "moves"), "0")
        moving = "LANGUAGE plpgsql AS $$ BEGIN {} RETURN 1; END $$"
        call = "set_config('search_path', 'x', false)"
        for code in (
            moving.format(f"PERFORM {call};"),
            "STABLE " + moving.format(f"PERFORM {call};"),
            "SET search_path = a " + moving.format("SET search_path = b;"),
            moving.format('SET "search_path" = b;'),
            moving.format("SET Schema 'b';"),
            moving.format("EXECUTE format('SET %s = b', 'search' || '_path');"),
            moving.format("RESET ALL;"),
            moving.format("DO LANGUAGE plpgsql 'BEGIN END';"),
            moving.format("PERFORM x(E'\\163');"),
            f"LANGUAGE sql AS $$ SELECT {call}; SELECT 1 $$",
            f"LANGUAGE sql BEGIN ATOMIC SELECT {call}; SELECT 1; END",
        ):
            with self.subTest(code):
                for sql, moves in ((f"CREATE FUNCTION moving.f() RETURNS int {code}", "1"),
                                   ("DROP FUNCTION moving.f()", "0")):  # fmt: skip
                    before = self.epoch(driver)
                    session.execute(sql)  # type: ignore[arg-type]
                    driver.ask("changed mapper")
                    wait_until(lambda: self.epoch(driver) > before, "a new epoch")  # noqa: B023
                    self.assertEqual(field(driver.ask("counts mapper"), "moves"), moves)
        session.execute("DROP SCHEMA moving CASCADE")

    def test_reload_follows_ddl_only(self) -> None:
        driver = self.driver("[routing]\n" + service())
        self.assertEqual(driver.ask("ensure mapper"), "ok")

        def changed_by(sql: str) -> bool:
            before = self.epoch(driver)
            session.execute(sql)
            driver.ask("changed mapper")
            try:
                wait_until(lambda: self.epoch(driver) > before, "a new epoch", 1.5)
            except Exception:  # noqa: BLE001  no new epoch is one of the two answers
                return False
            return True

        session = connect(self.database)
        self.addCleanup(session.close)
        for ddl in (
            "CREATE TABLE extra (id int, v text)",
            "ALTER TABLE extra ADD COLUMN w int",
            "CREATE FUNCTION extra_f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE TYPE extra_t AS ENUM ('a')",
            "CREATE UNIQUE INDEX extra_u ON extra (id)",
            "CREATE POLICY extra_p ON extra USING (true)",
            "ALTER TABLE extra ENABLE ROW LEVEL SECURITY",
        ):
            self.assertTrue(changed_by(ddl), ddl)
        self.assertIn("w:int4", driver.ask("relation mapper public.extra"))
        for other in (
            "INSERT INTO extra SELECT i, 'x' FROM generate_series(1, 1000) AS i",
            "ANALYZE",
            "VACUUM extra",
            "VACUUM (FREEZE, ANALYZE) extra",
            "CREATE TEMP TABLE mine (id int PRIMARY KEY, v text DEFAULT 'x' CHECK (v <> ''))",
            "CREATE TEMP VIEW mine_v AS SELECT * FROM mine",
        ):
            self.assertFalse(changed_by(other), other)
        self.assertTrue(changed_by("DROP TABLE extra"))
        self.assertEqual(driver.ask("relation mapper public.extra"), "none")
        self.run_sql("DROP FUNCTION extra_f; DROP TYPE extra_t")

    def test_poll_finds_ddl_and_a_lost_connection_is_reopened(self) -> None:
        driver = self.driver("[routing]\n" + service())
        self.assertEqual(driver.ask("ensure mapper"), "ok")
        before = self.epoch(driver)
        self.cluster.primary.scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            f"WHERE usename = '{SERVICE}'"
        )
        self.run_sql("CREATE TABLE polled (id int)")
        wait_until(lambda: self.epoch(driver) > before, "the poll", 9)
        self.assertIn("kind=r", driver.ask("relation mapper public.polled"))
        self.run_sql("DROP TABLE polled")

    def _walled(self, name: str) -> Driver:
        """A driver on a fresh database whose wall stands."""
        self.database = create_database(self.cluster, name)
        self.run_sql("CREATE TABLE notes (tenant_id text NOT NULL, id int, body text)")
        mode = '[policy]\nmode = "enforce"\nverify_interval = "1s"\n'
        driver = self.driver(mode + TENANT + service(), name)
        self.assertEqual(driver.ask(f"ensure {name}"), "ok")
        absent = driver.ask(f"protection {name}")
        self.assertIn("protected=1", absent)
        self.assertIn("blocked=PST-1605", absent)
        self.assertIn("not installed", absent)
        plan = self.cluster.scratch.folder(f"plan_{name}", 0o755) / "wall.sql"
        self.assertEqual(driver.ask(f"plan {name} {plan}"), "ok")
        psql(self.database, file=plan, flags=("-q",)).checked()
        self._wait_blocked(driver, name, blocked=False)
        return driver

    def _wait_blocked(self, driver: Driver, name: str, *, blocked: bool) -> str:
        wait_until(
            lambda: ("blocked=no" in driver.ask(f"protection {name}")) != blocked,
            f"blocked={blocked}; now {driver.ask(f'protection {name}')}",
            10,
        )
        return driver.ask(f"protection {name}")

    def test_wall_drift_blocks_and_repair_unblocks(self) -> None:
        driver = self._walled("walled")
        self.run_sql("ALTER TABLE notes NO FORCE ROW LEVEL SECURITY")
        drift = self._wait_blocked(driver, "walled", blocked=True)
        self.assertIn("PST-1605", drift)
        self.assertIn('"public"."notes"', drift)
        repair = re.search(r"Repair: (ALTER TABLE [^;]*;)", drift)
        assert repair is not None, drift
        self.run_sql(repair.group(1))
        self._wait_blocked(driver, "walled", blocked=False)
        self.run_sql("CREATE TABLE walled_at_once (tenant_id text, x int)")
        time.sleep(2.5)
        self.assertIn("blocked=no", driver.ask("protection walled"))
        # As where no superuser applied the wall.
        self.run_sql("DROP EVENT TRIGGER postern_wall_1; DROP EVENT TRIGGER postern_wall_2")
        self.run_sql("CREATE TABLE later (tenant_id text, x int)")
        self.assertIn('"public"."later"', self._wait_blocked(driver, "walled", blocked=True))
        self.run_sql("DROP TABLE later")
        self._wait_blocked(driver, "walled", blocked=False)
        self.assertIn("wall_drift", driver.log())

    def test_wall_that_cannot_be_verified_blocks(self) -> None:
        driver = self._walled("unverifiable")
        self.cluster.primary.scalar(f"ALTER ROLE {SERVICE} NOLOGIN")
        try:
            self.cluster.primary.scalar(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                f"WHERE usename = '{SERVICE}'"
            )
            state = self._wait_blocked(driver, "unverifiable", blocked=True)
            self.assertIn("cannot be verified", state)
        finally:
            self.cluster.primary.scalar(f"ALTER ROLE {SERVICE} LOGIN")
        self._wait_blocked(driver, "unverifiable", blocked=False)

    def test_gate_mode_only_logs(self) -> None:
        driver = self.driver('[policy]\nmode = "gate"\n' + TENANT + service())
        self.assertEqual(driver.ask("ensure mapper"), "ok")
        self.assertIn("blocked=no", driver.ask("protection mapper"))
        self.assertIn("wall_drift", driver.log())

    def test_transparent_database_is_unprotected(self) -> None:
        create_database(self.cluster, "plain")
        more = '[database.plain]\ncluster = "main"\nprofile = "transparent"\n'
        driver = self.driver(more + TENANT + service())
        self.assertEqual(driver.ask("ensure plain"), "ok")
        state = driver.ask("protection plain")
        self.assertIn("protected=0 catalog=1", state)
        self.assertIn("blocked=no", state)


class MonitorTest(ClusterTest):
    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary()
        cls.cluster.primary.scalar(
            f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{SERVICE_PASSWORD}'"
        )
        cls.cluster.start_replica()

    def nodes(self, driver: Driver) -> list[list[str]]:
        listed = field(driver.ask("cluster main"), "nodes").rstrip(",")
        return [node.split(":") for node in listed.split(",")]

    def wait_roles(self, driver: Driver, *roles: str) -> list[list[str]]:
        wait_until(lambda: [n[0] for n in self.nodes(driver)] == list(roles), f"roles {roles}", 10)
        return self.nodes(driver)

    def test_roles_promotion_and_loss(self) -> None:
        primary, replica = self.cluster.primary, self.cluster.replica
        routing = '[routing]\npoll_interval = "100ms"\n[database.gone]\ncluster = "main"\n'
        driver = Driver(self.cluster, "monitor", [replica.port, primary.port], routing + service())
        self.addCleanup(driver.close)
        blind = Driver(
            self.cluster, "blind", [replica.port, primary.port], routing + service(),
            "--without-service",
        )  # fmt: skip
        self.addCleanup(blind.close)

        nodes = self.wait_roles(driver, "replica", "primary")
        self.assertEqual([n[1] for n in nodes], ["1", "1"])
        state = driver.ask("cluster main")
        system = primary.scalar("SELECT system_identifier FROM pg_control_system()")
        self.assertEqual(field(state, "system"), system)
        self.assertEqual(field(state, "segment"), str(16 << 20))
        primary.scalar("CREATE TABLE moved (id int)")
        flushed = primary.scalar("SELECT pg_current_wal_flush_lsn()")

        def both_past() -> bool:
            return all(
                primary.scalar(f"SELECT '{n[2]}'::pg_lsn >= '{flushed}'::pg_lsn") == "t"
                for n in self.nodes(driver)
            )

        wait_until(both_past, "both positions", 10)
        replica.pause_replay()
        held = self.nodes(driver)[0][2]
        primary.scalar("INSERT INTO moved SELECT generate_series(1, 1000)")
        ahead = primary.scalar("SELECT pg_current_wal_flush_lsn()")
        wait_until(lambda: self.nodes(driver)[1][2] >= ahead, "the primary's position", 5)
        self.assertEqual(self.nodes(driver)[0][2], held)
        replica.resume_replay()
        wait_until(both_past, "replay", 10)
        replica.wait_for_replay_of(primary)

        replica.scalar("SELECT pg_promote()")
        # Both take writes now: the higher timeline wins, the other is not served.
        nodes = self.wait_roles(driver, "primary", "down")
        self.assertEqual([n[1] for n in nodes], ["2", "1"])
        switch = field(driver.ask("cluster main"), "switch")
        history = (replica.data / "pg_wal" / "00000002.history").read_text().split()
        self.assertEqual(switch, history[1])
        self.assertIn("PST-2002", driver.log())

        replica.stop()
        self.wait_roles(driver, "down", "down")
        self.assertEqual(field(driver.ask("cluster main"), "timeline"), "2")
        self.assertEqual([n[0] for n in self.nodes(blind)], ["unknown", "unknown"])
