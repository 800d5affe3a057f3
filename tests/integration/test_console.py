"""The console, its roles and its statistics; metrics, health and readiness."""

from __future__ import annotations

import re
import secrets
import time
import urllib.error
import urllib.request

import psycopg

from postern_server import Ports, PosternServer
from psql_client import Dsn, connect, psql, rows
from relay_base import APP, CLIENT, DATABASE, TWIN, RelayTest
from scratch import wait_until
from wire import bind, describe, execute, message, parse, query, session, shape

ADMIN, VIEWER = "operator", "monitor"
SYNC = message("S")
SHOWS = (
    "HELP POOLS CLIENTS SERVERS DATABASES USERS STATS STATS_TOTALS STATS_AVERAGES TOTALS LISTS "
    "CONFIG MEM VERSION STATE ACTIVE_SOCKETS SOCKETS DNS_HOSTS PREPARED CACHE ROUTES PROTECTION "
    "REFUSALS AUDIT"
).split()


class ConsoleTest(RelayTest):
    """Postern with an operator, somebody who looks, a login without business here, and metrics."""

    @classmethod
    def add_postern(cls, name: str) -> PosternServer:
        postern = super().add_postern(name)
        for login in (ADMIN, VIEWER):
            cls.passwords[login] = secrets.token_hex(8)
        postern.write(
            "users.toml",
            "".join(f'[user.{login}]\npassword = "{cls.passwords[login]}"\n'
                    for login in (CLIENT, ADMIN, VIEWER)))  # fmt: skip
        return postern

    @classmethod
    def toml(cls, ports: Ports) -> str:
        return super().toml(ports) + f"""
[admin]
admin_users = ["{ADMIN}"]
stats_users = ["{VIEWER}"]
stats_period = "1s"
[database."*"]
cluster = "main"
user = "{APP}"
password_file = "app.password"
[audit]
dir = "log"
key_file = "log.key"
"""

    def console(self, login: str = ADMIN, **changes: object) -> Dsn:
        dsn = self.postern.login(login, self.passwords[login], "postern", "console")
        return dsn.to(**changes)

    def show(self, what: str, login: str = ADMIN) -> list[dict[str, object]]:
        with connect(self.console(login)) as connection:
            cursor = connection.execute(f"SHOW {what}")
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def get(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.postern.ports.admin}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


class TablesTest(ConsoleTest):
    def test_every_table_by_both_protocols(self) -> None:
        client = self.connect(self.client())
        client.execute("SELECT 1")
        with connect(self.console()) as extended:
            for what in SHOWS:
                described = extended.cursor(binary=True).execute(f"SHOW {what}")
                header = psql(self.console(), f"SHOW {what}", flags=("-A", "-F", "\x1f"))
                names = header.checked().stdout.splitlines()[0].split("\x1f")
                self.assertEqual([c.name for c in described.description or ()], names, what)
        client.close()

    def test_pgbouncers_columns_come_first(self) -> None:
        client = self.connect(self.client())
        pools = list(self.show("POOLS")[0])
        self.assertEqual(pools[:4], ["database", "user", "cl_active", "cl_waiting"])
        stats = list(self.show("STATS")[0])
        self.assertEqual(stats[:4], ["database", "total_server_assignment_count",
                                     "total_xact_count", "total_query_count"])  # fmt: skip
        client.close()

    def test_a_client_and_its_server(self) -> None:
        client = self.connect(self.client(application="counter"))
        pid = client.execute("SELECT pg_backend_pid()").fetchone()
        mine = [row for row in self.show("CLIENTS") if row["application_name"] == "counter"]
        self.assertEqual(len(mine), 1)
        self.assertEqual((mine[0]["user"], mine[0]["database"]), (CLIENT, DATABASE))
        servers = [row for row in self.show("SERVERS") if row["id"] == mine[0]["id"]]
        self.assertEqual([row["remote_pid"] for row in servers], [pid[0] if pid else None])
        pool = [row for row in self.show("POOLS") if row["database"] == DATABASE]
        self.assertEqual((pool[0]["cl_active"], pool[0]["sv_active"]), (1, 1))
        client.close()

    def test_statistics_count_statements_and_bytes(self) -> None:
        def totals() -> dict[str, int]:
            for row in self.show("STATS"):
                if row["database"] == DATABASE:
                    return {key: int(str(value)) for key, value in row.items()
                            if key != "database"}  # fmt: skip
            return {}

        client = self.connect(self.client())
        client.execute("SELECT 1")
        before = totals()
        for _ in range(5):
            client.execute("SELECT repeat('x', 10000)")
        client.execute("BEGIN")
        client.execute("SELECT pg_sleep(0.05)")
        client.execute("COMMIT")
        with self.assertRaises(psycopg.errors.UndefinedTable):
            client.execute("SELECT * FROM nowhere")
        after = totals()
        grown = {key: after[key] - before[key] for key in after}
        self.assertEqual(grown["total_xact_count"], 7)
        self.assertEqual(grown["total_query_count"], 9)
        self.assertEqual(grown["total_error_count"], 1)
        self.assertGreater(grown["total_sent"], 50_000)
        self.assertLess(grown["total_sent"], 60_000)
        self.assertGreater(grown["total_received"], 100)
        self.assertGreater(grown["total_query_time"], 50_000)
        self.assertGreaterEqual(grown["total_xact_time"], grown["total_query_time"] - 1_000)
        self.assertLess(grown["total_query_time"], 5_000_000)
        client.close()
        time.sleep(2.2)  # two periods without anything
        idle = [row for row in self.show("STATS_AVERAGES") if row["database"] == DATABASE]
        self.assertEqual((idle[0]["xact_count"], idle[0]["query_time"]), (0, 0))

    def test_secrets_are_in_no_table(self) -> None:
        said = psql(self.console(), *(f"SHOW {what}" for what in SHOWS)).checked().stdout
        for password in self.passwords.values():
            self.assertNotIn(password, said)


class DriversTest(ConsoleTest):
    def test_what_drivers_send_at_connect(self) -> None:
        with connect(self.console()) as connection:
            for statement in ("SET extra_float_digits = 3", "BEGIN", "COMMIT", "RESET ALL",
                              "SET application_name TO 'x'", "DISCARD ALL"):  # fmt: skip
                connection.execute(statement)
            for statement, answer in (("SELECT 1", 1), ("SHOW transaction_isolation",
                                      "read committed"), ("SHOW client_encoding", "UTF8"),
                                      ("SHOW TRANSACTION ISOLATION LEVEL", "read committed"),
                                      ("SELECT current_database()", "postern")):  # fmt: skip
                self.assertEqual(connection.execute(statement).fetchone(), (answer,), statement)

    def test_transactions_of_a_driver(self) -> None:
        with connect(self.console(), autocommit=False) as connection:
            self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))
            connection.commit()
            self.assertEqual(len(connection.execute("SHOW STATE").fetchall()), 4)

    def test_describe_first_with_flush_as_asyncpg_does(self) -> None:
        with session(self.console()) as wire:
            said = wire.ask(parse("SHOW LISTS", "s"), describe("S", "s"), SYNC)
            self.assertEqual(shape(said), "1tTZ")
            said = wire.ask(bind(statement="s"), execute(), SYNC)
            self.assertEqual(shape(said).replace("D", ""), "2CZ")
            wire.send(parse("SHOW VERSION"), message("H"))
            first = wire.receive()
            self.assertEqual(first and first.type, "1")
            self.assertEqual(shape(wire.ask(SYNC)), "Z")

    def test_binary_integers(self) -> None:
        with connect(self.console()) as connection, connection.cursor(binary=True) as cursor:
            text = connection.execute("SHOW LISTS").fetchall()
            self.assertEqual(cursor.execute("SHOW LISTS").fetchall(), text)

    def test_unknown_command_names_the_nearest(self) -> None:
        with connect(self.console()) as connection:
            with self.assertRaises(psycopg.errors.SyntaxError) as caught:
                connection.execute("SHOW POLS")
            self.assertIn("SHOW POOLS", str(caught.exception.diag.message_hint))
            with self.assertRaises(psycopg.errors.FeatureNotSupported) as refused:
                connection.execute("SET default_pool_size = 5")
            self.assertIn("RELOAD", str(refused.exception.diag.message_hint))


class RolesTest(ConsoleTest):
    def test_a_login_without_role_is_refused(self) -> None:
        with self.assertRaises(psycopg.OperationalError) as caught:
            connect(self.postern.login(CLIENT, self.passwords[CLIENT], "postern", "x"))
        self.assertIn("may not use the console", str(caught.exception))

    def test_a_wrong_password_gets_no_console(self) -> None:
        with self.assertRaises(psycopg.OperationalError) as caught:
            connect(self.console(password="wrong"))
        self.assertIn("password authentication failed", str(caught.exception))

    def test_looking_is_not_acting(self) -> None:
        with connect(self.console(VIEWER)) as connection:
            for what in ("POOLS", "CLIENTS", "STATS", "DATABASES"):
                connection.execute(f"SHOW {what}")
            for statement in ("PAUSE", "RESUME", "RECONNECT", "KILL", "KILL_CLIENT 1", "RELOAD",
                              f"DISABLE {DATABASE}", f"ENABLE {DATABASE}", "SHUTDOWN",
                              "WAIT_CLOSE", "SHOW CONFIG", "SHOW FDS"):  # fmt: skip
                with self.assertRaises(psycopg.errors.InsufficientPrivilege, msg=statement):
                    connection.execute(statement)
        self.assertIn("console_denied", self.postern.log.tail())

    def test_commands_of_administrators_are_logged_and_recorded(self) -> None:
        with connect(self.console()) as connection:
            connection.execute("SHOW CONFIG")
            with self.assertRaises(psycopg.errors.InvalidCatalogName):
                connection.execute("PAUSE postern")
        self.assertRegex(self.postern.log.tail(), r"console_command.*SHOW CONFIG")
        found = b""

        def recorded() -> bool:
            nonlocal found
            found = b"".join(path.read_bytes() for path in
                             (self.postern.folder / "log").rglob("*") if path.is_file())
            return b"SHOW CONFIG" in found

        wait_until(recorded, "the command on the access log", 5)


class ActionsTest(ConsoleTest):
    def test_kill_client_ends_one_client_and_no_other(self) -> None:
        victim = self.connect(self.client(application="victim"))
        bystander = self.connect(self.client(application="bystander"))
        ids = [row["id"] for row in self.show("CLIENTS") if row["application_name"] == "victim"]
        with connect(self.console()) as connection:
            connection.execute(f"KILL_CLIENT {ids[0]}")
            with self.assertRaises(psycopg.errors.InvalidParameterValue):
                connection.execute("KILL_CLIENT 999999999")
        with self.assertRaises(psycopg.OperationalError) as caught:
            victim.execute("SELECT 1")
        self.assertIn("administrator command", str(caught.exception))
        self.assertEqual(bystander.execute("SELECT 1").fetchone(), (1,))
        bystander.close()

    def test_kill_client_amid_a_statement(self) -> None:
        with session(self.client(application="sleeper")) as wire:
            wire.send(query("SELECT pg_sleep(30)"))
            ids: list[object] = []

            def running() -> bool:
                ids[:] = [row["id"] for row in self.show("CLIENTS")
                          if row["application_name"] == "sleeper"]  # fmt: skip
                return bool(ids)

            wait_until(running, "the client in SHOW CLIENTS", 5)
            started = time.monotonic()
            psql(self.console(), f"KILL_CLIENT {ids[0]}").checked()
            ended = wire.until_end()
            self.assertLess(time.monotonic() - started, 5)
            self.assertEqual([m.sqlstate() for m in ended if m.type == "E"], ["57P01"])
        sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%'"
        wait_until(lambda: rows(self.cluster.primary.superuser, sleeping) == [("0",)],
                   "the end of the statement", 5)  # fmt: skip


class PinnedTest(ConsoleTest):
    """Who keeps a server connection through transaction pooling is told, and why."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        return super().toml(ports) + (
            f'[database.pooled]\ncluster = "main"\nuser = "{APP}"\nupstream = "{DATABASE}"\n'
            'password_file = "app.password"\npool_mode = "transaction"\n'
        )

    def pinned_by(self, application: str) -> list[object]:
        """Of a client, then of its server connections."""
        mine = [row for row in self.show("CLIENTS") if row["application_name"] == application]
        found = [row["pinned_by"] for row in mine]
        for row in self.show("SERVERS"):
            if row["id"] in [client["id"] for client in mine]:
                found.append(row["pinned_by"])
        return found

    def counted(self, reason: str) -> int:
        found = re.search(rf'postern_pinned_servers{{reason="{reason}"}} (\d+)',
                          self.get("/metrics")[1])  # fmt: skip
        return int(found[1]) if found else -1

    def test_reasons_come_and_go(self) -> None:
        client = self.connect(self.client(dbname="pooled", application="keeper"))
        client.execute("SELECT 1")
        self.assertEqual(self.pinned_by("keeper"), [""])
        for take, give, reason in (
            ("CREATE TEMP TABLE mine (n int)", "DROP TABLE mine", "temporary objects"),
            ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)", "advisory locks"),
            ("LISTEN news", "UNLISTEN *", "LISTEN"),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "CLOSE c", "cursors WITH HOLD"),
            ("PREPARE p AS SELECT 1", "DEALLOCATE p", "PREPARE"),
        ):
            with self.subTest(reason):
                client.execute(take)
                wait_until(lambda: self.pinned_by("keeper") == [reason] * 2, reason, 5)
                self.assertEqual(self.counted(reason), 1)
                client.execute(give)
                wait_until(lambda: self.pinned_by("keeper") == [""], "no reason", 5)
                self.assertEqual(self.counted(reason), 0)

    def test_several_reasons_end_with_the_client(self) -> None:
        client = self.connect(self.client(dbname="pooled", application="leaver"))
        client.execute("LISTEN news")
        client.execute(f"SET SESSION AUTHORIZATION {APP}")
        both = "LISTEN, not followed"
        wait_until(lambda: self.pinned_by("leaver") == [both] * 2, both, 5)
        self.assertEqual((self.counted("LISTEN"), self.counted("not followed")), (1, 1))
        client.close()
        wait_until(lambda: self.counted("LISTEN") == 0, "the end of the connection", 5)
        self.assertEqual(self.counted("not followed"), 0)

    def test_session_pooling_pins_nothing(self) -> None:
        client = self.connect(self.client(application="session"))
        client.execute("LISTEN news")
        self.assertEqual(self.pinned_by("session"), [""] * 2)


class MetricsTest(ConsoleTest):
    def test_every_sample_belongs_to_the_page(self) -> None:
        client = self.connect(self.client(dbname=TWIN))
        client.execute("SELECT 1")
        with self.assertRaises(psycopg.errors.UndefinedTable):
            client.execute("SELECT * FROM nowhere")
        status, text = self.get("/metrics")
        self.assertEqual(status, 200)
        page = self.postern.cli_checked("explain", "metrics")
        known = set(re.findall(r"^\| `(postern_\w+)`", page, re.M))
        names = set(re.findall(r"^# TYPE (\w+) ", text, re.M))
        self.assertEqual(names - known, set())
        wanted = (
            r'postern_server_seconds_bucket{database="\*",le="0.1"} \d',
            r'postern_queue_seconds_count{database="\*"} \d',
            r'postern_proxy_seconds_sum{database="\*"} \d',
            r'postern_server_errors_total{class="42"} \d',
            r'postern_pool_open{node="[^"]+",database="\*",user="app"} \d',
            r'postern_database_statements_total{database="\*"} \d',
            r"postern_ready 1",
        )
        for sample in wanted:
            self.assertRegex(text, sample)
        self.assertNotIn(f'database="{TWIN}"', text)
        client.close()

    def test_health(self) -> None:
        self.assertEqual(self.get("/healthz"), (200, "alive\n"))
        self.assertEqual(self.get("/readyz"), (200, "ready\n"))
        self.assertEqual(self.get("/nothing")[0], 404)


class ShutdownTest(ConsoleTest):
    def test_shutdown_drains_and_metrics_stay(self) -> None:
        busy = session(self.client())
        busy.send(query("SELECT pg_sleep(2)"))
        time.sleep(0.2)
        with connect(self.console()) as connection:
            with self.assertRaises(psycopg.errors.FeatureNotSupported):
                connection.execute("SHUTDOWN WAIT_FOR_CLIENTS")
            connection.execute("SHUTDOWN WAIT_FOR_SERVERS")
            wait_until(lambda: self.get("/readyz")[0] == 503, "not ready any more", 2)
        status, body = self.get("/readyz")
        self.assertEqual((status, body), (503, "stopping\n"))
        self.assertEqual(self.get("/healthz")[0], 200)
        self.assertIn("postern_ready 0", self.get("/metrics")[1])
        self.assertEqual(shape(busy.until_ready())[-1], "Z")
        busy.close()
        self.assertEqual(self.postern.stop(), 0)


class ShutdownAtOnceTest(ConsoleTest):
    def test_shutdown_ends_busy_sessions_and_closes_the_log(self) -> None:
        busy = session(self.client())
        busy.send(query("SELECT pg_sleep(20)"))
        time.sleep(0.2)
        started = time.monotonic()
        psql(self.console(), "SHUTDOWN")
        busy.until_end()
        wait_until(lambda: not self.postern.process.running(), "the end of the process", 5)
        self.assertEqual(self.postern.process.exit_code(), 0)
        self.assertLess(time.monotonic() - started, 4)
        self.assertRegex(self.postern.log.tail(), r"\bstopped\b")
        busy.close()


class ReadinessTest(ConsoleTest):
    def test_a_cluster_that_does_not_answer(self) -> None:
        wait_until(lambda: self.get("/readyz")[0] == 200, "ready at first", 5)
        self.cluster.primary.stop()
        wait_until(lambda: self.get("/readyz")[0] == 503, "not ready without servers", 10)
        self.assertEqual(self.get("/readyz")[1], "no node of cluster main answers\n")
        self.assertEqual(self.get("/healthz")[0], 200)
        self.assertEqual(psql(self.console(), "SHOW ROUTES").rc, 0)
