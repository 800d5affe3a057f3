"""What honest applications send to a walled database, and how the server's words reach a tenant."""

from __future__ import annotations

import json

from postern_server import Ports
from protected_base import OWN, VICTIM, ProtectedTest
from psql_client import psql, scalar
from wire import SYNC, bind, execute, parse, query, session, shape

MIGRATOR = "migrator_app"
COUNT = "SELECT count(*) FROM evaluations"


class SqlTest(ProtectedTest):
    @classmethod
    def toml(cls, ports: Ports) -> str:
        section = '[policy]\nmode = "enforce"\n'
        users = cls.postern.folder / "users.toml"
        text = users.read_text()
        if MIGRATOR not in text:
            cls.passwords[MIGRATOR] = "of the migrator"
            cls.postern.write("users.toml", text + f"[user.{MIGRATOR}]\npassword ="
                              ' "of the migrator"\nprofile = "migrator"\n')  # fmt: skip
        return super().toml(ports).replace(
            section, section + 'allow_functions = ["pg_catalog.pg_advisory_*"]\n'
            '[policy.profile.app]\nallow_settings = ["debug_pretty_print"]\n'
            "allow_plans = true\n"
        )  # fmt: skip

    def migrator(self) -> object:
        dsn = self.postern.login(MIGRATOR, self.passwords[MIGRATOR], "mapper", "migration")
        return session(dsn.to(sslmode="disable"))

    def test_set_config_with_a_bound_value(self) -> None:
        with session(self.login(OWN)) as wire:
            got = wire.ask(parse("SELECT set_config('TimeZone', $1, false)"), bind(b"Asia/Tokyo"),
                           execute(), SYNC)  # fmt: skip
            self.assertEqual(shape(got).replace("S", ""), "12DCZ")
            shown = wire.ask(query("SELECT current_setting('timezone'), count(*) > 0"
                                   " FROM evaluations"))  # fmt: skip
            self.assertEqual(shown[1].values(), [b"Asia/Tokyo", b"t"])
            for name in ("role", "postern.ctx", "client_encoding"):
                got = wire.ask(parse(f"SELECT set_config('{name}', $1, false)"), bind(b"x"),
                               execute(), SYNC)  # fmt: skip
                self.assertEqual((shape(got), got[0].sqlstate()), ("EZ", "42501"))

    def test_settings_beside_statements(self) -> None:
        with session(self.login(OWN)) as wire:
            got = wire.ask(query(f"BEGIN; SET LOCAL statement_timeout = '5s'; {COUNT}; COMMIT"))
            self.assertEqual(shape(got), "CCTDCCZ")
            got = wire.ask(query(f"SET search_path = public; {COUNT}"))
            self.assertEqual(got[0].fields()["D"], "PST-2418")

    def test_permits(self) -> None:
        with session(self.login(OWN)) as wire:
            self.assertEqual(shape(wire.ask(query("SELECT pg_advisory_xact_lock(7)"))), "TDCZ")
            self.assertEqual(shape(wire.ask(query("SET debug_pretty_print = off"))), "CZ")
            self.assertEqual(wire.ask(query("SELECT pg_notify('a', 'b')"))[0].sqlstate(), "42501")

    def test_plans(self) -> None:
        with session(self.login(OWN)) as wire:
            for sql in ("EXPLAIN SELECT * FROM evaluations WHERE tenant_id = 'x'",
                        "EXPLAIN (VERBOSE, SETTINGS) SELECT count(*) FROM evaluations e"
                        " JOIN detectors d USING (tenant_id)"):  # fmt: skip
                got = wire.ask(query(sql))
                lines = [(m.values()[0] or b"").decode() for m in got if m.type == "D"]
                self.assertTrue(any("evaluations" in line for line in lines), lines)
                for line in lines:
                    for word in ("cost=", "rows=", "width=", "Planning", "Workers"):
                        self.assertNotIn(word, line)
            wire.ask(query("PREPARE p AS SELECT * FROM evaluations WHERE score = $1"))
            got = wire.ask(query("EXPLAIN EXECUTE p(1)"))
            self.assertNotIn(b"rows=", b"".join(m.body for m in got))
            for sql in ("EXPLAIN ANALYZE EXECUTE p(1)", f"EXPLAIN ANALYZE {COUNT}",
                        f"EXPLAIN (FORMAT json) {COUNT}"):  # fmt: skip
                self.assertEqual(wire.ask(query(sql))[0].sqlstate(), "0A000")
            got = wire.ask(parse(f"EXPLAIN {COUNT}"), bind(), execute(), SYNC)
            self.assertNotIn(b"cost=", b"".join(m.body for m in got))
            self.assertTrue(shape(got).startswith("12D"))

    def test_blocks_of_migrators(self) -> None:
        with self.migrator() as wire:
            block = "DO $$ BEGIN EXECUTE 'SELECT count(*) FROM evaluations'; END $$"
            self.assertEqual(shape(wire.ask(query(block))), "CZ")
            # No tenant, no rows: also within a block.
            got = wire.ask(query("DO $$ BEGIN RAISE EXCEPTION '%',"
                                 " (SELECT count(*) FROM evaluations); END $$"))  # fmt: skip
            self.assertEqual(got[0].fields()["M"], "0")
        with session(self.login(OWN)) as wire:
            self.assertEqual(wire.ask(query("DO $$ BEGIN END $$"))[0].sqlstate(), "42501")

    def test_what_a_tenant_hears_of_errors(self) -> None:
        psql(self.direct(),
             "CREATE OR REPLACE FUNCTION public.loud(n int) RETURNS int LANGUAGE plpgsql AS $$"
             " BEGIN FOR i IN 1..n LOOP RAISE NOTICE 'n %', i USING DETAIL = 'secret'; END LOOP;"
             " RAISE EXCEPTION 'loud' USING DETAIL = 'secret', HINT = 'a hint',"
             " ERRCODE = 'ZZ001'; END $$",
             "GRANT INSERT ON frameworks TO app").checked()  # fmt: skip
        self.addCleanup(lambda: psql(self.direct(), "DROP FUNCTION public.loud(int)",
                                     "REVOKE INSERT ON frameworks FROM app").checked())  # fmt: skip
        self.wait_for_function()
        with session(self.login(OWN)) as wire:
            got = wire.ask(query("SELECT public.loud(150)"))
            notices = [m.fields() for m in got if m.type == "N"]
            self.assertEqual(len(notices), 101)
            self.assertIn("PST-1521", notices[-1]["M"])
            self.assertNotIn(b"secret", b"".join(m.body for m in got))
            error = next(m for m in got if m.type == "E").fields()
            self.assertEqual((error["C"], error["M"], error["H"]), ("ZZ001", "loud", "a hint"))
            self.assertEqual([k for k in "DWqp" if k in error], [])
            # The next request hears its own.
            again = wire.ask(query("SELECT public.loud(1)"))
            self.assertEqual(len([m for m in again if m.type == "N"]), 1)
            unique = wire.ask(query("INSERT INTO frameworks SELECT * FROM frameworks"))[0].fields()
            self.assertEqual((unique["C"], unique["n"], unique.get("D")),
                             ("23505", "frameworks_pkey", None))  # fmt: skip
            # Ours keep their code and hint; positions stay.
            refused = wire.ask(query("SET ROLE app"))[0].fields()
            self.assertEqual(refused["D"], "PST-1503")
            self.assertTrue(refused["H"])
            self.assertEqual(wire.ask(query("SELECT 1/0, 2/0 FROM evaluations"))[-2].type, "E")
        with self.migrator() as wire:
            error = wire.ask(query("SELECT public.loud(1)"))[-2].fields()
            self.assertEqual(error["D"], "secret")

    def wait_for_function(self) -> None:
        """Until the catalog snapshot knows the objects just made."""
        with session(self.login(OWN)) as wire:
            for _ in range(100):
                got = wire.ask(query("SELECT public.loud(0) WHERE false"))
                if shape(got) == "TCZ":
                    return
                wire.ask(query("SELECT pg_sleep(0.1)"))
        self.fail("the function stays unknown")

    def test_explain_says_how(self) -> None:
        answer = self.postern.cli(
            "policy", "explain", "-c", "postern.toml", "--database", "mapper", "--dsn",
            self.direct().public(), "--as", f"{OWN}_app", "--json",
            "EXPLAIN SELECT * FROM evaluations", database=self.direct(),
        )  # fmt: skip
        found = json.loads(answer.stdout)
        self.assertEqual((found["verdict"], found["encryption"]), ("allowed", []))
        self.assertIn("gate", found["statements"][0]["rules"])
        self.assertIn("without costs", found["statements"][0]["form"])
        self.assertEqual(scalar(self.direct(), f"SELECT count(*) > 0 FROM evaluations"
                                f" WHERE tenant_id = '{VICTIM}'"), "t")  # fmt: skip
