"""Two tenants take turns on one server connection: nothing of one reaches the other (catalogue 59,
102 to 109, 137). Each attack beside what an honest client may rely on."""

from __future__ import annotations

import threading
import time

from postern_server import Ports
from protected_base import DATABASE, OWN, VICTIM, ProtectedTest
from wire import (
    FLUSH, SYNC, Message, Wire, bind, execute, parse, query, session, shape,
)  # fmt: skip

TENANTS = "SELECT string_agg(DISTINCT tenant_id, ',') FROM evaluations"
LEFTOVERS = (
    "SELECT (SELECT count(*) FROM pg_prepared_statements WHERE from_sql),"
    " (SELECT count(*) FROM pg_cursors WHERE name <> ''),"
    " coalesce(current_setting('app.secret', true), ''), current_setting('search_path'),"
    " current_setting('statement_timeout'), current_setting('datestyle'),"
    " (SELECT count(*) FROM pg_listening_channels()),"
    " (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema())"
)
CLEAN = [b"0", b"0", b"", b'"$user", public', b"0", b"ISO, MDY", b"0", b"0"]


def values(wire: Wire, sql: str) -> list[bytes | None]:
    got = wire.ask(query(sql))
    assert [m.type for m in got if m.type == "D"] == ["D"], shape(got)
    return next(m for m in got if m.type == "D").values()


class TenantsTest(ProtectedTest):
    @classmethod
    def toml(cls, ports: Ports) -> str:
        name = f"[database.{DATABASE}]\n"
        return super().toml(ports).replace(
            name, name + 'pool_mode = "transaction"\npool_size = 1\n'
        )

    def both(self) -> tuple[Wire, Wire]:
        first, second = session(self.login(OWN)), session(self.login(VICTIM))
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        return first, second

    def untouched(self, wire: Wire, tenant: str) -> None:
        self.assertEqual(values(wire, LEFTOVERS), CLEAN)
        self.assertEqual(values(wire, TENANTS), [tenant.encode()])

    def test_turns(self) -> None:
        first, second = self.both()
        for _ in range(10):
            self.assertEqual(values(first, TENANTS), [OWN.encode()])
            self.assertEqual(values(second, TENANTS), [VICTIM.encode()])
            for wire, tenant in ((first, OWN), (second, VICTIM)):
                got = wire.ask(parse(TENANTS), bind(), execute(), SYNC)
                self.assertEqual([m.values() for m in got if m.type == "D"], [[tenant.encode()]])

    def test_settings_follow_their_session_alone(self) -> None:
        first, second = self.both()
        for sql in ("SET app.secret = 'of acme'", "SET search_path = pg_catalog, public",
                    "SET statement_timeout = '77s'", "SET datestyle = 'SQL, DMY'",
                    "SELECT set_config('app.secret', 'of acme', false)"):  # fmt: skip
            self.assertEqual([m.sqlstate() for m in first.ask(query(sql)) if m.type == "E"], [])
        self.untouched(second, VICTIM)
        # The honest twin: its own session still has them.
        self.assertEqual(values(first, LEFTOVERS)[2:6],
                         [b"of acme", b"pg_catalog, public", b"77s", b"SQL, DMY"])  # fmt: skip
        first.ask(query("RESET ALL"))
        self.untouched(first, OWN)

    def test_resets_keep_the_tenant(self) -> None:
        first, second = self.both()
        for sql in ("RESET ALL", "DISCARD ALL", "DISCARD TEMP", "DISCARD PLANS",
                    "BEGIN; COMMIT AND CHAIN; COMMIT", "BEGIN; ROLLBACK AND CHAIN; ROLLBACK",
                    "BEGIN; SAVEPOINT s; ROLLBACK TO s; COMMIT"):  # fmt: skip
            with self.subTest(sql=sql):
                self.assertNotIn("E", shape(first.ask(query(sql))))
                self.assertEqual(values(first, TENANTS), [OWN.encode()])
                self.untouched(second, VICTIM)

    def test_a_transactions_end_within_a_message(self) -> None:
        first, second = self.both()
        own = f"SELECT count(*) FROM evaluations WHERE tenant_id <> '{OWN}'"
        for sql in (f"BEGIN; COMMIT; {own}", f"COMMIT; {own}", f"BEGIN; {own}; ROLLBACK; {own}"):
            with self.subTest(sql=sql):
                got = first.ask(query(sql))
                rows = [m.values() for m in got if m.type == "D"]
                self.assertTrue(rows)
                self.assertTrue(all(row == [b"0"] for row in rows), rows)
        self.untouched(second, VICTIM)

    def test_temporary_objects_are_not_an_applications(self) -> None:
        first, second = self.both()
        for sql in ("CREATE TEMP TABLE evaluations (n int)", "CREATE TEMP VIEW evaluations AS"
                    " SELECT 1", "SELECT * INTO TEMP evaluations FROM detectors",
                    "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"):
            with self.subTest(sql=sql):
                self.assertEqual(first.ask(query(sql))[0].sqlstate(), "42501")
        self.untouched(second, VICTIM)

    def test_cursors_with_hold(self) -> None:
        first, second = self.both()
        declared = "DECLARE kept CURSOR WITH HOLD FOR SELECT tenant_id FROM evaluations"
        self.assertEqual(shape(first.ask(query(declared))), "CZ")
        # It keeps its connection: the other one waits for it, and gets another then.
        answers: list[list[Message]] = []
        waiting = threading.Thread(target=lambda: answers.append(second.ask(query("FETCH kept"))))
        waiting.start()
        time.sleep(0.3)
        self.assertEqual(answers, [])
        self.assertEqual(values(first, "FETCH kept"), [OWN.encode()])
        self.assertEqual(shape(first.ask(query("CLOSE kept"))), "CZ")
        waiting.join(10)
        self.assertEqual([m.sqlstate() for m in answers[0]], ["34000", ""])
        self.untouched(second, VICTIM)

    def test_prepared_statements_belong_to_their_client(self) -> None:
        first, second = self.both()
        self.assertEqual(shape(first.ask(parse(TENANTS, "s1"), SYNC)), "1Z")
        got = second.ask(bind(statement="s1"), execute(), SYNC)
        self.assertEqual(got[0].sqlstate(), "26000")
        self.assertEqual(shape(second.ask(parse("SELECT 'mine'", "s1"), SYNC)), "1Z")
        for wire, value in ((first, OWN.encode()), (second, b"mine"), (first, OWN.encode())):
            got = wire.ask(bind(statement="s1"), execute(), SYNC)
            self.assertEqual([m.values() for m in got if m.type == "D"], [[value]])
        self.assertEqual(second.ask(query("EXECUTE s2"))[0].sqlstate(), "26000")
        # SQL PREPARE keeps its connection until DEALLOCATE.
        first.ask(query(f"PREPARE s2 AS {TENANTS}"))
        self.assertEqual(values(first, "EXECUTE s2"), [OWN.encode()])
        first.ask(query("DEALLOCATE s2"))
        self.assertEqual(second.ask(query("EXECUTE s2"))[0].sqlstate(), "26000")
        self.untouched(second, VICTIM)

    def test_an_open_portal_keeps_its_connection(self) -> None:
        first, second = self.both()
        first.ask(query("BEGIN"))
        first.send(parse("SELECT tenant_id FROM evaluations", "p"), bind(statement="p", portal="x"),
                   execute("x", 1), FLUSH)  # fmt: skip
        received = [first.receive() for _ in range(4)]
        self.assertEqual([m.type for m in received if m is not None], ["1", "2", "D", "s"])
        answers: list[object] = []
        waiting = threading.Thread(target=lambda: answers.append(values(second, TENANTS)))
        waiting.start()
        time.sleep(0.3)
        self.assertEqual(answers, [])
        got = first.ask(execute("x", 1), SYNC)
        self.assertEqual([m.values() for m in got if m.type == "D"], [[OWN.encode()]])
        self.assertEqual(shape(first.ask(query("COMMIT"))), "CZ")
        waiting.join(10)
        self.assertEqual(answers, [[VICTIM.encode()]])
        got = second.ask(execute("x"), SYNC)
        self.assertEqual(got[0].sqlstate(), "34000")
        self.untouched(second, VICTIM)
