"""Tenants by schema: each attack in both directions, beside what an honest client may rely on."""

from __future__ import annotations

import json
import os
import signal

import psycopg

from postern_server import Ports
from psql_client import rows
from schema_base import (
    APP, CHOOSER, MIGRATOR, NOBODY, OWN, OWNER, SECRET, VICTIM, SchemaTest, ask, refused, rows_of,
)  # fmt: skip
from scratch import wait_until
from wire import SYNC, bind, execute, parse, shape

COUNT = "SELECT count(*) FROM orders"
COUNTS = {OWN: b"3", VICTIM: b"5"}
GATE, OTHER, NUMBERS = "42501 PST-1509", "42501 PST-1510", "0A000 PST-1524"


class HonestAndHostile:
    """Run under each pool mode."""

    def test_each_finds_its_own_rows_under_plain_names(self) -> None:
        first, second = self.wire(f"{OWN}_app"), self.wire(f"{VICTIM}_app")
        for _ in range(3):
            for wire, tenant in ((first, OWN), (second, VICTIM)):
                self.assertEqual(rows_of(ask(wire, COUNT)), [[COUNTS[tenant]]])
                own = f"SELECT count(*) FROM tenant_{tenant}.orders"
                self.assertEqual(rows_of(ask(wire, own)), [[COUNTS[tenant]]])
                self.assertEqual(rows_of(ask(wire, "SELECT total()")), [[COUNTS[tenant]]])
                self.assertEqual(rows_of(ask(wire, "SELECT id FROM latest")), [[COUNTS[tenant]]])
                self.assertEqual(rows_of(ask(wire, "SELECT count(*) FROM kinds")), [[b"2"]])
                self.assertEqual(rows_of(ask(wire, "SELECT current_user, session_user")),
                                 [[f"tenant_{tenant}".encode()] * 2])  # fmt: skip
                path = f'"tenant_{tenant}", "shared"'.encode()
                self.assertEqual(rows_of(ask(wire, "SHOW search_path")), [[path]])

    def test_qualified_names(self) -> None:
        for me, other in ((OWN, VICTIM), (VICTIM, OWN)):
            wire = self.wire(f"{me}_app")
            for sql in (
                "SELECT * FROM {}.orders", "TABLE {}.orders", "SELECT 1 FROM orders, {}.orders",
                "INSERT INTO {}.orders VALUES (99, 'x')", "UPDATE {}.orders SET note = 'x'",
                "DELETE FROM {}.orders", "COPY {}.orders TO STDOUT", "COPY {}.orders FROM STDIN",
                "SELECT {}.total()", "SELECT * FROM {}.latest", "SELECT last_value FROM {}.numbers",
                "WITH w AS (SELECT * FROM {}.orders) SELECT * FROM w",
                "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM {}.orders",
                "PREPARE p AS SELECT * FROM {}.orders", "TRUNCATE {}.orders",
                "LOCK TABLE {}.orders", "EXPLAIN SELECT * FROM {}.orders",
                "MERGE INTO {}.orders o USING orders s ON false WHEN MATCHED THEN DELETE",
            ):  # fmt: skip
                with self.subTest(me=me, sql=sql):
                    self.assertEqual(refused(ask(wire, sql.format(f"tenant_{other}"))), GATE)
                    got = wire.ask(parse(sql.format(f"tenant_{other}")), SYNC)
                    self.assertEqual(refused(got), GATE)
            self.assertEqual(rows_of(ask(wire, COUNT)), [[COUNTS[me]]])

    def test_search_path_leads_nowhere(self) -> None:
        for me, other in ((OWN, VICTIM), (VICTIM, OWN)):
            wire = self.wire(f"{me}_app")
            for change in (f"SET search_path = tenant_{other}",
                           f"SELECT set_config('search_path', 'tenant_{other}', false)",
                           f'SET search_path = "tenant_{other}", tenant_{me}'):  # fmt: skip
                with self.subTest(change=change):
                    self.assertNotIn("E", shape(ask(wire, change)))
                    self.assertEqual(refused(ask(wire, COUNT)), GATE)
                    # The honest twin: its own path back, and shared names under any.
                    self.assertNotIn("E", shape(ask(wire, "RESET search_path")))
                    self.assertEqual(rows_of(ask(wire, COUNT)), [[COUNTS[me]]])
            self.assertNotIn("E", shape(ask(wire, "SET search_path = shared")))
            self.assertEqual(rows_of(ask(wire, "SELECT count(*) FROM kinds")), [[b"2"]])
            self.assertEqual(rows_of(ask(wire, f"SELECT count(*) FROM tenant_{me}.orders")),
                             [[COUNTS[me]]])  # fmt: skip
            for back in ("DISCARD ALL", "RESET ALL"):
                ask(wire, back)
                self.assertEqual(rows_of(ask(wire, COUNT)), [[COUNTS[me]]])

    def test_functions_stay_within_the_rights_of_their_caller(self) -> None:
        for me, other in ((OWN, VICTIM), (VICTIM, OWN)):
            wire = self.wire(f"{me}_app")
            self.assertEqual(rows_of(ask(wire, "SELECT shared.pathless()")), [[COUNTS[me]]])
            for name in ("leaving", "named"):
                own = rows_of(ask(wire, f"SELECT shared.{name}('tenant_{me}')"))
                self.assertEqual(SECRET in str(own), me == VICTIM)
                got = ask(wire, f"SELECT shared.{name}('tenant_{other}')")
                self.assertIn(refused(got)[:5], ("42501", "42P01"))
            got = ask(wire, f"SELECT shared.becoming('tenant_{other}')")
            self.assertEqual(refused(got)[:5], "42501")
            # There is no role behind the tenant's to fall back to.
            self.assertEqual(rows_of(ask(wire, "SELECT shared.unbecoming()")),
                             [[f"tenant_{me}".encode()]])  # fmt: skip
            self.assertEqual(rows_of(ask(wire, COUNT)), [[COUNTS[me]]])

    def test_roles_cannot_be_left(self) -> None:
        wire = self.wire(f"{OWN}_app")
        for sql in (f"SET ROLE tenant_{VICTIM}", "RESET ROLE", f"SET ROLE {OWNER}", "SET ROLE NONE",
                    f"SET SESSION AUTHORIZATION tenant_{VICTIM}", "RESET SESSION AUTHORIZATION",
                    f"SELECT set_config('role', 'tenant_{VICTIM}', false)",
                    f"GRANT USAGE ON SCHEMA tenant_{OWN} TO tenant_{VICTIM}",
                    f"DO $$ BEGIN PERFORM * FROM tenant_{VICTIM}.orders; END $$"):  # fmt: skip
            with self.subTest(sql=sql):
                self.assertEqual(refused(ask(wire, sql))[:5], "42501")
        self.assertEqual(rows_of(ask(wire, "SELECT current_user")), [[b"tenant_acme"]])

    def test_prepared_statements_name_their_own_tenants_table(self) -> None:
        first, second = self.wire(f"{OWN}_app"), self.wire(f"{VICTIM}_app")
        for wire in (first, second):
            self.assertEqual(shape(wire.ask(parse(COUNT, "s"), SYNC)), "1Z")
        for _ in range(3):
            for wire, tenant in ((first, OWN), (second, VICTIM)):
                got = wire.ask(bind(statement="s"), execute(), SYNC)
                self.assertEqual(rows_of(got), [[COUNTS[tenant]]])
                ask(wire, f"PREPARE q AS {COUNT}")
                self.assertEqual(rows_of(ask(wire, "EXECUTE q")), [[COUNTS[tenant]]])
                ask(wire, "DEALLOCATE q")

    def test_cached_rows_belong_to_one_tenant(self) -> None:
        read = "SELECT min(note) FROM orders"
        first, second = self.wire(f"{OWN}_app"), self.wire(f"{VICTIM}_app")
        before = self.metric("postern_cache_hits_total")

        def both() -> bool:
            self.assertEqual(rows_of(ask(first, read)), [[b"of-acme-1"]])
            self.assertEqual(rows_of(ask(second, read)), [[f"{SECRET}-1".encode()]])
            return self.metric("postern_cache_hits_total") > before + 2

        wait_until(both, "hits")
        ask(first, "UPDATE orders SET note = 'of-acme-0' WHERE id = 1")
        self.assertEqual(rows_of(ask(first, read)), [[b"of-acme-0"]])
        self.assertEqual(rows_of(ask(second, read)), [[f"{SECRET}-1".encode()]])
        ask(first, "UPDATE orders SET note = 'of-acme-1' WHERE id = 1")

    def test_copy(self) -> None:
        with self.connect(f"{OWN}_app") as client, client.transaction(force_rollback=True):
            with client.cursor().copy("COPY orders FROM STDIN") as copy:
                copy.write_row((77, "copied"))
            with client.cursor().copy("COPY orders TO STDOUT") as copy:
                found = b"".join(bytes(part) for part in copy)
            self.assertEqual(found.count(b"\n"), 4)
            self.assertNotIn(SECRET.encode(), found)

    def test_catalogs_answer_without_counts_of_rows(self) -> None:
        wire = self.wire(f"{OWN}_app")
        names = ("SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                 " WHERE n.nspname = current_schema()")  # fmt: skip
        self.assertGreater(int(rows_of(ask(wire, names))[0][0] or b"0"), 2)
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'tenant_%s'"
        self.assertIn([b"orders"], rows_of(ask(wire, tables % OWN)))
        self.assertEqual(rows_of(ask(wire, tables % VICTIM)), [])
        numbers = "SELECT DISTINCT reltuples, relpages FROM pg_class WHERE relname = 'orders'"
        seen = "SELECT relname, reltuples, relpages FROM pg_class WHERE relname = 'orders'"
        self.assertIn(("5", "1"), rows(self.direct(), numbers))
        shown = rows_of(ask(wire, seen))
        self.assertGreaterEqual(len(shown), 2)
        self.assertTrue(all(row == [b"orders", b"-1", b"0"] for row in shown), shown)
        for sql in ("SELECT relname FROM pg_class WHERE reltuples = 5", "SELECT c FROM pg_class c"):
            self.assertEqual(refused(ask(wire, sql)), NUMBERS)
        self.assertEqual(refused(ask(wire, "SELECT * FROM pg_stats"))[:5], "42501")
        oid = rows(self.direct(), f"SELECT 'tenant_{VICTIM}.orders'::regclass::oid")[0][0]
        for sql in (f"SELECT pg_relation_size({oid})", f"SELECT pg_stat_get_live_tuples({oid})"):
            self.assertEqual(refused(ask(wire, sql))[:5], "42501")
        number = rows(self.direct(), f"SELECT 'tenant_{VICTIM}.numbers'::regclass::oid")[0][0]
        for sql in (f"SELECT nextval({number}::oid::regclass)",
                    f"SELECT nextval('tenant_{VICTIM}.numbers')"):  # fmt: skip
            self.assertEqual(refused(ask(wire, sql))[:5], "42501")
        self.assertNotIn("E", shape(ask(wire, "SELECT nextval('numbers')")))

    def test_what_is_neither_own_nor_shared(self) -> None:
        self.sql("GRANT SELECT ON public.internal TO PUBLIC")
        wire = self.wire(f"{OWN}_app")
        self.assertEqual(refused(ask(wire, "SELECT * FROM public.internal")), OTHER)
        self.assertEqual(refused(ask(wire, "SELECT * FROM internal"))[:5], "0A000")
        self.assertEqual(rows_of(ask(wire, "SELECT count(*) FROM shared.kinds")), [[b"2"]])

    def test_temporary_objects_and_shared_names(self) -> None:
        first, second = self.wire(f"{OWN}_app"), self.wire(f"{VICTIM}_app")
        for sql in ("CREATE TEMP TABLE orders (n int)", "SELECT * INTO TEMP orders FROM kinds",
                    "LISTEN x", "NOTIFY x", "SELECT pg_advisory_lock(1)",
                    "SELECT pg_notify('a', 'b')"):  # fmt: skip
            with self.subTest(sql=sql):
                self.assertEqual(refused(ask(first, sql))[:5], "42501")
        for wire, tenant in ((first, OWN), (second, VICTIM)):
            self.assertEqual(rows_of(ask(wire, COUNT)), [[COUNTS[tenant]]])

    def test_a_login_without_tenant_sees_what_is_shared(self) -> None:
        wire = self.wire(NOBODY)
        self.assertEqual(rows_of(ask(wire, "SELECT count(*) FROM shared.kinds")), [[b"2"]])
        self.assertEqual(rows_of(ask(wire, "SELECT current_user")), [[APP.encode()]])
        for tenant in (OWN, VICTIM):
            got = refused(ask(wire, f"SELECT * FROM tenant_{tenant}.orders"))
            self.assertEqual(got, GATE)

    def test_a_tenant_named_at_startup(self) -> None:
        for tenant in (OWN, VICTIM):
            client = self.connect(CHOOSER, options=f"-c postern.tenant={tenant}")
            row = client.execute(COUNT).fetchone()
            self.assertEqual(row, (int(COUNTS[tenant]),))
            # The connection's login is the tenant's: it is not changed by SET.
            other = OWN if tenant == VICTIM else VICTIM
            with self.assertRaises(psycopg.Error) as caught:
                client.execute(f"SET postern.tenant = '{other}'")
            self.assertIn("PST-2473", str(caught.exception))
            client.execute(f"SET postern.tenant = '{tenant}'")
            self.assertEqual(client.execute(COUNT).fetchone(), (int(COUNTS[tenant]),))
        with self.assertRaises(psycopg.OperationalError):
            self.connect(CHOOSER, options="-c postern.tenant=initech")

    def test_a_migrator_reaches_every_schema(self) -> None:
        client = self.connect(MIGRATOR)
        for tenant in (OWN, VICTIM):
            table = f"tenant_{tenant}.orders"
            client.execute(f"ALTER TABLE {table} ADD COLUMN added int")
            client.execute(f"ALTER TABLE {table} DROP COLUMN added")
            row = client.execute(f"SELECT count(*) FROM {table}").fetchone()
            self.assertEqual(row, (int(COUNTS[tenant]),))

    def test_violations_are_told_and_recorded(self) -> None:
        told = r'postern_violations_total\{rule="wall.schema"\}'
        before = self.metric(told)
        wire = self.wire(f"{OWN}_app")
        self.assertEqual(refused(ask(wire, f"SELECT * FROM tenant_{VICTIM}.orders")), GATE)
        wait_until(lambda: self.metric(told) > before, "the alert")
        wire.close()
        found = self.postern.cli_checked(
            "audit", "search", "-c", "postern.toml", "--code", "PST-1509", "--json"
        )
        self.assertIn(f'"tenant":"{OWN}"', found.replace(" ", ""))
        self.assertIn(f'"role":"tenant_{OWN}"', found.replace(" ", ""))


class SessionPoolTest(HonestAndHostile, SchemaTest):
    def test_apply_made_roles_and_can_be_repeated(self) -> None:
        applied = json.loads(self.applied)
        self.assertEqual(applied["differences"], [])
        self.assertEqual(applied["tenant_roles"], [f"tenant_{OWN}", f"tenant_{VICTIM}"])
        self.assertEqual(json.loads(self.policy("apply", "--json"))["differences"], [])
        self.assertIn("tenants' schemas", self.policy("verify"))
        self.assertEqual(json.loads(self.policy("lint", "--json"))["findings"], [])

    def test_explain_shows_schema_and_refusal(self) -> None:
        told = json.loads(self.policy("explain", "--json", "--as", f"{OWN}_app", COUNT))
        self.assertEqual(told["tenant_schema"], f"tenant_{OWN}")
        self.assertEqual(told["verdict"], "allowed")
        self.assertEqual(told["statements"][0]["tables"][0]["table"], f"tenant_{OWN}.orders")
        self.assertEqual(told["statements"][0]["tables"][0]["kind"], "the tenant's own")
        self.assertIn("wall", told["statements"][0]["rules"])
        foreign = f"SELECT * FROM tenant_{VICTIM}.orders"
        told = json.loads(self.policy("explain", "--json", "--as", f"{OWN}_app", foreign))
        self.assertEqual(told["refusal"]["code"], "PST-1509")
        self.assertEqual(told["statements"][0]["tables"][0]["kind"], "another tenant's")

    def test_a_new_tenant_is_served_without_a_restart(self) -> None:
        tenant = "initech"
        self.sql(f"CREATE SCHEMA tenant_{tenant} AUTHORIZATION {OWNER}",
                 f"CREATE TABLE tenant_{tenant}.orders (id int)")  # fmt: skip
        self.assertEqual(json.loads(self.policy("apply", "--json"))["differences"], [])
        users = (self.postern.folder / "users.toml").read_text()
        self.passwords["initech_app"] = "p"
        self.postern.write("users.toml", users + '[user.initech_app]\npassword = "p"\n'
                           f'tenant = "{tenant}"\nprofile = "app"\n')  # fmt: skip
        mark = self.postern.log.mark()
        self.reload()
        wait_until(lambda: " reloaded " in self.postern.log.since(mark), "the reload")

        def served() -> bool:
            got = ask(self.wire("initech_app"), COUNT)
            return rows_of(got) == [[b"0"]]

        wait_until(served, "the new tenant's table", 15)

    def reload(self) -> None:
        os.kill(self.postern.process.pid, signal.SIGHUP)


class TransactionPoolTest(HonestAndHostile, SchemaTest):
    pool = "transaction"

    def test_tenants_never_share_a_connection(self) -> None:
        first, second = self.wire(f"{OWN}_app"), self.wire(f"{VICTIM}_app")
        seen: dict[str, set[bytes | None]] = {OWN: set(), VICTIM: set()}
        for _ in range(5):
            for wire, tenant in ((first, OWN), (second, VICTIM)):
                got = rows_of(ask(wire, "SELECT pg_backend_pid()::text, current_user"))[0]
                seen[tenant].add(got[0])
                self.assertEqual(got[1], f"tenant_{tenant}".encode())
        self.assertFalse(seen[OWN] & seen[VICTIM])

    def test_settings_follow_their_session_alone(self) -> None:
        first, second = self.wire(f"{OWN}_app"), self.wire(f"{OWN}_app")
        ask(first, f"SET search_path = shared, tenant_{OWN}")
        path = "SHOW search_path"
        self.assertEqual(rows_of(ask(second, path)), [[f'"tenant_{OWN}", "shared"'.encode()]])
        self.assertEqual(rows_of(ask(first, path)), [[f"shared, tenant_{OWN}".encode()]])
        self.assertEqual(rows_of(ask(first, COUNT)), [[COUNTS[OWN]]])


class DriftTest(SchemaTest):
    """What opens the wall closes the database, and the repair opens it."""

    def closes(self, drift: str, told: str, repair: str) -> None:
        client = self.wire(f"{OWN}_app")
        self.assertEqual(rows_of(ask(client, COUNT)), [[COUNTS[OWN]]])
        mark = self.postern.log.mark()
        self.sql(drift)
        wait_until(lambda: refused(ask(client, COUNT)) == "ZP605 PST-1605", f"drift by {drift}", 15)
        lines = self.postern.log.since(mark)
        self.assertIn("wall_drift", lines)
        self.assertIn(told, lines)
        shown = json.loads(self.policy("verify", "--json"))
        self.assertFalse(shown["stands"])
        self.assertTrue(any(repair in one["repair"] for one in shown["differences"]), shown)
        for one in shown["differences"]:
            self.sql(one["repair"])
        wait_until(lambda: rows_of(ask(client, COUNT)) == [[COUNTS[OWN]]], "the wall again", 15)
        client.close()

    def test_drift(self) -> None:
        other, own = f"tenant_{VICTIM}", f"tenant_{OWN}"
        for drift, told, repair in (
            (f"GRANT USAGE ON SCHEMA {other} TO PUBLIC", "everybody has USAGE",
             f"REVOKE USAGE ON SCHEMA {other} FROM PUBLIC"),
            (f"GRANT SELECT ON {other}.orders TO {own}", "has SELECT", "REVOKE SELECT"),
            (f"GRANT {other} TO {own}", "another tenant", f"REVOKE {other}"),
            (f"GRANT pg_read_all_data TO {own}", "pg_read_all_data", "REVOKE pg_read_all_data"),
            (f"GRANT {other} TO {APP}", "another tenant", f"REVOKE {other} FROM {APP}"),
            (f"ALTER ROLE {own} BYPASSRLS", "BYPASSRLS", "NOBYPASSRLS"),
            ("CREATE FUNCTION shared.peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS"
             f" 'SELECT count(*) FROM {other}.orders'", "SECURITY DEFINER", "SECURITY INVOKER"),
            (f"CREATE VIEW shared.peeking AS SELECT * FROM {other}.orders;"
             f" GRANT SELECT ON shared.peeking TO {own}", "view with its owner",
             "security_invoker"),
        ):  # fmt: skip
            with self.subTest(drift=drift):
                self.closes(drift, told, repair)

    def test_the_database_holds_without_postern(self) -> None:
        """What the gate refuses first, the server refuses too."""
        role = self.direct().to(user=f"tenant_{OWN}", password=self.passwords["roles"])
        self.assertEqual(rows(role, f"SELECT count(*) FROM tenant_{OWN}.orders"), [("3",)])
        for sql in (f"SELECT * FROM tenant_{VICTIM}.orders", f"SET ROLE tenant_{VICTIM}",
                    f"SET SESSION AUTHORIZATION tenant_{VICTIM}", f"SET ROLE {OWNER}"):  # fmt: skip
            with self.assertRaises(Exception) as caught:
                rows(role, sql)
            self.assertIn("permission denied", str(caught.exception))


class ObserveTest(SchemaTest):
    """Mode observe refuses nothing; the server's privileges hold all the same."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        return super().toml(ports).replace('mode = "enforce"', 'mode = "observe"')

    def test_privileges_hold(self) -> None:
        wire = self.wire(f"{OWN}_app")
        got = ask(wire, f"SELECT * FROM tenant_{VICTIM}.orders")
        self.assertEqual(refused(got), "42501")
        self.assertEqual(rows_of(ask(wire, COUNT)), [[COUNTS[OWN]]])


class RollbackTest(SchemaTest):
    def test_rollback(self) -> None:
        self.policy("rollback")
        self.assertEqual(rows(self.direct(), "SELECT rolname FROM pg_roles WHERE rolname ~"
                              " '^tenant_'"), [])  # fmt: skip
        self.assertEqual(json.loads(self.policy("apply", "--json"))["differences"], [])
