"""Transaction pooling: what clients come with and set is theirs alone, and costs no connection."""

from __future__ import annotations

import time

import psycopg

from postern_server import Ports
from relay_base import APP, DATABASE, RelayTest
from wire import SYNC, Wire, bind, execute, parse, query, shape

PID = "SELECT pg_backend_pid()"
MIDNIGHT = "SELECT '2024-01-01 00:00'::timestamptz = '2024-01-01 00:00+00'"


class PooledSettingsTest(RelayTest):
    """"shared" has one server connection for everybody, "pair" two."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        login = f'cluster = "main"\nuser = "{APP}"\npassword_file = "app.password"\n'
        text = super().toml(ports).replace('login_timeout = "2s"', 'login_timeout = "1s"')
        return text + "".join(
            f'[database.{name}]\n{login}upstream = "{DATABASE}"\npool_mode = "transaction"\n'
            f"pool_size = {size}\n"
            for name, size in (("shared", 1), ("pair", 2))
        )

    def wire(self, dbname: str = "shared", **parameters: str) -> Wire:
        dsn = self.client(dbname=dbname)
        wire = Wire(dsn.port)
        self.addCleanup(wire.close)
        answers = wire.login(dsn, parameters)
        refused = [got.fields() for got in answers if got.type == "E"]
        self.assertEqual((answers[-1].type, refused), ("Z", []))
        return wire

    def one(self, wire: Wire, sql: str) -> str | None:
        values = wire.ask(query(sql))[1].values()
        return None if values[0] is None else values[0].decode()

    def renewed(self, dbname: str) -> None:
        """The server connections of the pool end behind Postern's back, as by their lifetime."""
        self.cluster.primary.scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            f" WHERE usename = '{APP}' AND datname = '{DATABASE}'"
        )
        time.sleep(0.3)

    def test_a_startup_parameter_of_an_application_stays_with_its_client(self) -> None:
        show = "SELECT current_setting('app.tenant', true)"
        first = self.wire(**{"App.Tenant": "acme"})
        self.assertEqual(self.one(first, show), "acme")
        # Asked what it holds, the server does not list such parameters by itself.
        first.ask(query("SET work_mem = '8MB'"))
        second = self.wire()
        self.assertIn(self.one(second, show), (None, ""))
        self.assertEqual(self.one(first, show), "acme")

    def test_options_follow_and_share_connections(self) -> None:
        first = self.wire(options="-c search_path=one -c work_mem=5MB")
        second = self.wire(options="--search-path=two", search_path="three")
        pid = self.one(first, PID)
        self.assertEqual(self.one(second, PID), pid)
        self.assertEqual(self.one(first, "SHOW search_path"), "one")
        self.assertEqual(self.one(first, "SHOW work_mem"), "5MB")
        self.assertEqual(self.one(second, "SHOW search_path"), "three")
        self.assertNotEqual(self.one(second, "SHOW work_mem"), "5MB")

    def test_options_only_a_server_reads_have_their_own_connection(self) -> None:
        first, second = self.wire(options="-c Post_Auth_Delay=0"), self.wire()
        pid = self.one(first, PID)
        self.assertNotEqual(self.one(second, PID), pid)

    def test_a_statement_prepared_again_under_other_settings_is_its_clients_alone(self) -> None:
        first = self.wire(TimeZone="UTC")
        first.ask(parse(MIDNIGHT, "m"), SYNC)
        first.ask(query("SET TimeZone = 'Asia/Tokyo'"))
        self.renewed("shared")
        self.assertEqual(first.ask(bind(statement="m"), execute(), SYNC)[1].values(), [b"f"])
        second = self.wire(TimeZone="UTC")
        got = second.ask(parse(MIDNIGHT, "m"), bind(statement="m"), execute(), SYNC)
        self.assertEqual(got[2].values(), [b"t"])
        # Who finds it there as it was meant, or has its settings back, has it as it was meant.
        self.assertEqual(first.ask(bind(statement="m"), execute(), SYNC)[1].values(), [b"t"])
        self.renewed("shared")
        first.ask(bind(statement="m"), execute(), SYNC)
        first.ask(query("SET TimeZone = 'UTC'"))
        self.assertEqual(first.ask(bind(statement="m"), execute(), SYNC)[1].values(), [b"t"])

    def test_the_same_within_a_transaction(self) -> None:
        first = self.wire(TimeZone="UTC")
        first.ask(parse(MIDNIGHT, "m"), SYNC)
        self.renewed("shared")
        first.ask(query("BEGIN; SET LOCAL TimeZone = 'Asia/Tokyo'"))
        first.ask(bind(statement="m"), execute(), SYNC)
        first.ask(query("COMMIT"))
        second = self.wire(TimeZone="UTC")
        got = second.ask(parse(MIDNIGHT, "m"), bind(statement="m"), execute(), SYNC)
        self.assertEqual(got[2].values(), [b"t"])

    def test_clients_that_differ_in_what_no_plan_reads_share_statements(self) -> None:
        known = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%6 * 7%'"
        clients = [self.wire(statement_timeout=f"{50 + n}s") for n in range(3)]
        for number, wire in enumerate(clients):
            wire.ask(query(f"SET lock_timeout = '{number + 9}s'"))
            wire.ask(parse("SELECT 6 * 7", "shared"), SYNC)
            got = wire.ask(bind(statement="shared"), execute(), SYNC)
            self.assertEqual(got[1].values(), [b"42"])
            self.assertEqual(self.one(wire, "SHOW lock_timeout"), f"{number + 9}s")
        self.assertEqual(self.one(clients[0], known), "1")

    def test_no_client_gets_a_plan_with_the_parameter_of_another(self) -> None:
        body = "SELECT current_setting('app.tenant')"
        self.wire().ask(
            query(f"CREATE FUNCTION tenant() RETURNS text IMMUTABLE LANGUAGE sql AS $${body}$$")
        )
        for tenant in ("one", "two"):
            wire = self.wire(**{"app.tenant": tenant})
            wire.ask(parse("SELECT tenant()", "t"), SYNC)
            for _ in range(3):
                got = wire.ask(bind(statement="t"), execute(), SYNC)
                self.assertEqual(got[1].values(), [tenant.encode()])

    def test_no_connection_ends_by_anothers_idle_limit(self) -> None:
        first, second = self.wire("pair"), self.wire("pair")
        first.ask(query("SET idle_session_timeout = '1s'"))
        pid = self.one(first, PID)
        self.assertNotEqual(self.one(second, PID), pid)
        ended = first.until_end()
        self.assertEqual(ended[-1].sqlstate(), "57P05")
        self.assertIsNotNone(self.one(second, PID))

    def test_an_idle_limit_taken_back_keeps_nothing(self) -> None:
        first, second = self.wire(), self.wire()
        first.ask(query("SET idle_session_timeout = '1s'"))
        first.ask(query("SET idle_session_timeout = 0"))
        self.assertEqual(self.one(first, PID), self.one(second, PID))
        time.sleep(1.3)
        self.assertIsNotNone(self.one(first, PID))

    def test_a_short_time_limit_is_no_one_elses(self) -> None:
        first = self.wire()
        first.ask(query("SET statement_timeout = 9"))
        for _ in range(20):
            first.ask(query("SELECT 1"))
            self.assertEqual(self.one(self.wire(), "SHOW statement_timeout"), "0")

    def test_a_column_called_temp_and_a_transactions_lock_ask_nothing(self) -> None:
        first = self.wire()
        first.ask(query("CREATE TABLE weather AS SELECT 1 AS temp"))
        time.sleep(1.2)  # PostgreSQL counts a second later, with the next transaction
        first.ask(query("SELECT 1"))
        before = self.transactions()
        first.ask(query("SELECT temp FROM weather"))
        first.ask(query("SELECT pg_advisory_xact_lock(1)"))
        time.sleep(1.2)
        first.ask(query("SELECT 1"))
        # Each question would be one more; autovacuum may look in.
        self.assertLess(self.transactions() - before, 5)

    def transactions(self) -> int:
        found = self.cluster.primary.scalar(
            f"SELECT xact_commit FROM pg_stat_database WHERE datname = '{DATABASE}'"
        )
        return int(found)

    def test_who_comes_with_known_settings_needs_no_server(self) -> None:
        settings = {"DateStyle": "German", "TimeZone": "Asia/Tokyo", "extra_float_digits": "2"}
        self.wire(**settings)
        holder = self.wire()
        holder.ask(query("BEGIN"))
        second = self.wire(**settings)
        self.assertEqual(second.parameters["TimeZone"], "Asia/Tokyo")
        self.assertEqual(second.parameters["DateStyle"], "German, DMY")
        holder.ask(query("COMMIT"))
        self.assertEqual(self.one(second, "SHOW TimeZone"), "Asia/Tokyo")

    def test_who_has_just_logged_in_keeps_no_connection(self) -> None:
        for number in range(40):
            wires = [self.wire(statement_timeout=f"{3 * number + n + 100}s") for n in range(3)]
            for wire in wires:
                wire.close()

    def test_a_welcome_from_memory_has_no_name_of_another(self) -> None:
        self.wire(TimeZone="Asia/Seoul", application_name="secret job")
        second = self.wire(TimeZone="Asia/Seoul", application_name="mine")
        self.assertEqual(second.parameters["application_name"], "mine")
        third = self.wire(TimeZone="Asia/Seoul", application_name="")
        self.assertEqual(third.parameters["application_name"], "")

    def test_a_parameter_of_startups_alone_is_passed_on(self) -> None:
        first, second = self.wire(post_auth_delay="0"), self.wire()
        self.assertNotEqual(self.one(first, PID), self.one(second, PID))

    def test_who_waits_longer_than_a_login_may_take_is_told_why(self) -> None:
        holder = self.connect(self.client(dbname="narrow"))
        holder.execute("SELECT 1")
        started = time.monotonic()
        with self.assertRaises(psycopg.OperationalError) as caught:
            self.connect(self.client(dbname="narrow"))
        self.assertIn("PST-1303", str(caught.exception))
        self.assertGreater(time.monotonic() - started, 1.2)

    def test_a_text_sent_anew_after_a_change_of_schema_is_prepared_anew(self) -> None:
        every = "SELECT * FROM changing"
        first = self.wire()
        first.ask(query("CREATE TABLE changing AS SELECT 1 AS a"))
        first.ask(parse(every, "mine"), SYNC)
        first.ask(bind(statement="mine"), execute(), SYNC)
        self.wire("relay").ask(query("ALTER TABLE changing ADD b int"))
        second = self.wire()
        second.ask(query("BEGIN"))
        got = second.ask(parse(every, "new"), bind(statement="new"), execute(), SYNC)
        self.assertEqual(shape(got), "12DCZ")
        second.ask(query("ALTER TABLE changing ADD c int"))
        got = second.ask(parse(every, "newer"), bind(statement="newer"), execute(), SYNC)
        self.assertEqual(shape(got), "12DCZ")
        second.ask(query("COMMIT"))
        got = first.ask(parse(every, "later"), bind(statement="later"), execute(), SYNC)
        self.assertEqual(shape(got), "12DCZ")
