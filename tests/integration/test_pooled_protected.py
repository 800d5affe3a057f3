"""A protected database under transaction pooling: what its functions leave behind, and names."""

from __future__ import annotations

import psycopg

from postern_server import Ports
from protected_base import APP, DATABASE, OWN, OWNER, VICTIM, ProtectedTest
from psql_client import psql, rows
from wire import SYNC, bind, execute, parse, query, session

FUNCTIONS = (
    "CREATE FUNCTION public.leaves_setting() RETURNS text LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM set_config('extra_float_digits', '-7', false); RETURN 'set'; END $$",
    "CREATE FUNCTION public.leaves_lock() RETURNS text LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_advisory_lock(77); RETURN 'locked'; END $$",
    "CREATE FUNCTION public.leaves_nothing() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA shadow",
    f"GRANT USAGE ON SCHEMA shadow TO {APP}",
    "CREATE VIEW shadow.frameworks AS SELECT 1 AS shadowed",
    f"GRANT SELECT ON shadow.frameworks TO {APP}",
)
PID = "SELECT pg_backend_pid()"


class PooledProtectedTest(ProtectedTest):
    """One server connection for each login, given back after every transaction."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        pooled = f'[database.{DATABASE}]\npool_mode = "transaction"\npool_size = 3\n'
        return super().toml(ports).replace(f"[database.{DATABASE}]\n", pooled)

    @classmethod
    def boot(cls) -> None:
        super().boot()
        owner = cls.direct().to(options=f"-c role={OWNER}")
        psql(owner, *FUNCTIONS).checked()

    def app(self, tenant: str = OWN) -> psycopg.Connection[tuple]:
        return self.connect(self.login(tenant))

    def one(self, connection: psycopg.Connection[tuple], sql: str) -> object:
        row = connection.execute(sql).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]

    def ready(self, client: psycopg.Connection[tuple]) -> None:
        """The catalog snapshot knows the functions."""
        for _ in range(100):
            try:
                client.execute("SELECT public.leaves_nothing()")
            except psycopg.Error:
                client.execute("SELECT pg_sleep(0.1)")
            else:
                return
        self.fail("the functions stay unknown")

    def test_what_a_function_sets_follows_its_client_alone(self) -> None:
        first, second = self.app(), self.app()
        self.ready(first)
        before = self.one(second, "SHOW extra_float_digits")
        for prepare in (False, True):
            first.execute("SELECT public.leaves_setting()", prepare=prepare)
            for _ in range(5):
                self.assertEqual(self.one(second, "SHOW extra_float_digits"), before)
            self.assertEqual(self.one(first, "SHOW extra_float_digits"), "-7")
            first.execute("SET extra_float_digits = 1")

    def test_a_lock_taken_by_a_function_keeps_its_connection(self) -> None:
        first, second = self.app(), self.app()
        self.ready(first)
        first.execute("SELECT public.leaves_lock()")
        pid = self.one(first, PID)
        for _ in range(5):
            self.assertNotEqual(self.one(second, PID), pid)
        self.assertEqual(self.one(first, PID), pid)
        first.close()
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        self.assertEqual(rows(self.direct(), held), [("0",)])

    def test_tenants_share_no_connection(self) -> None:
        own, victim = self.app(), self.app(VICTIM)
        mine = {self.one(own, PID) for _ in range(5)}
        theirs = {self.one(victim, PID) for _ in range(5)}
        self.assertFalse(mine & theirs)

    def test_a_prepared_statement_is_judged_again_under_another_path(self) -> None:
        text = "SELECT count(*) FROM frameworks"
        with session(self.login(OWN)) as wire:
            first = wire.ask(parse(text, "mine"), bind(statement="mine"), execute(), SYNC)
            counted = [m.values() for m in first if m.type == "D"]
            self.assertEqual(len(counted), 1, first)
            told = wire.ask(query("SET search_path = shadow, public"))
            if told[0].type == "E":  # refused: nothing may have changed
                self.assertIn("PST-", str(told[0].fields()))
            again = wire.ask(bind(statement="mine"), execute(), SYNC)
            path = "public" if told[0].type == "E" else "shadow, public"
            there = self.direct().to(options=f"-c search_path={path.replace(' ', '')}")
            wanted = str(rows(there, text)[0][0]).encode()
            self.assertEqual([m.values() for m in again if m.type == "D"], [[wanted]])
            # And by a name that only the new path finds.
            hidden = wire.ask(parse("SELECT email FROM users", "two"),
                              bind(statement="two"), execute(), SYNC)  # fmt: skip
            self.assertNotIn(b"globex", b"".join(m.body for m in hidden if m.type == "D"))


if __name__ == "__main__":
    import unittest

    unittest.main()
