"""What a hostile tenant sends: refused or harmless, and the database is as it was before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import psycopg

from protected_base import APP, OWN, VICTIM, ProtectedTest
from psql_client import connect, psql, rows, scalar
from wire import SYNC, Message, Wire, bind, describe, execute, message, parse, query, session, shape

DENIED, UNSUPPORTED = "42501", "0A000"
ROW = f"('{VICTIM}', 900001, 2, 1, 'wrong', 0, 0, now())"

# SQL of acme, one simple query each, and the SQLSTATE that must come.
REFUSED = (
    ("DO $$ BEGIN PERFORM 1; END $$", DENIED),
    ("SELECT set_config('postern.ctx', 'v1:globex:forged', false)", DENIED),
    ("SELECT pg_catalog.set_config('row_security', 'off', false)", DENIED),
    ("SELECT set_config(x, 'off', false) FROM (VALUES ('row_' || 'security')) AS v (x)", DENIED),
    ("SELECT set_config('ROW_SECURITY', 'off', true)", DENIED),
    ("UPDATE pg_settings SET setting = 'off' WHERE name = 'row_security'", DENIED),
    ("SET postern.ctx = 'v1:globex:forged'", DENIED),
    ("SET LOCAL postern.ctx TO 'x'", DENIED),
    ('SET "postern"."ctx" = \'x\'', DENIED),
    ("RESET postern.ctx", DENIED),
    ("SHOW postern.ctx", DENIED),
    ("SET ROLE mapper_owner", DENIED),
    ("SET SESSION AUTHORIZATION mapper_owner", DENIED),
    ("SET row_security = off", DENIED),
    ("SET client_encoding = 'LATIN1'", DENIED),
    ("SET standard_conforming_strings = off", DENIED),
    ("SET session_replication_role = replica", DENIED),
    ("COPY users TO STDOUT", UNSUPPORTED),
    ("COPY (SELECT email FROM users) TO STDOUT", UNSUPPORTED),
    ("COPY users FROM STDIN", UNSUPPORTED),
    ("COPY evaluations FROM STDIN WHERE score > 1", UNSUPPORTED),
    ("COPY (SELECT 1) TO PROGRAM 'id'", DENIED),
    ("COPY evaluations TO '/tmp/loot'", DENIED),
    ("CREATE TABLE loot AS SELECT * FROM evaluations", DENIED),
    ("CREATE TEMP TABLE users (n int)", DENIED),
    ("SELECT * INTO TEMP loot FROM users", DENIED),
    ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", DENIED),
    ("CREATE VIEW v AS SELECT * FROM users", DENIED),
    ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", DENIED),
    ("ALTER ROLE app BYPASSRLS", DENIED),
    ("DROP TABLE users", DENIED),
    ("TRUNCATE evaluations", UNSUPPORTED),
    ("GRANT ALL ON users TO PUBLIC", DENIED),
    ("EXPLAIN (FORMAT json) SELECT * FROM evaluations", UNSUPPORTED),
    ("EXPLAIN ANALYZE DELETE FROM evaluations", UNSUPPORTED),
    ("LOCK TABLE evaluations", UNSUPPORTED),
    ("VACUUM evaluations", DENIED),
    ("LISTEN x", DENIED),
    ("SELECT pg_notify('x', 'y')", DENIED),
    ("SELECT pg_advisory_lock(1)", DENIED),
    ("SELECT pg_terminate_backend(1)", DENIED),
    ("SELECT pg_read_file('/etc/passwd')", DENIED),
    ("SELECT lo_import('/etc/passwd')", DENIED),
    ("SELECT query_to_xml('SELECT * FROM users', true, true, '')", DENIED),
    ("SELECT table_to_xml('users', true, true, '')", DENIED),
    ("SELECT * FROM pg_stats WHERE tablename = 'evaluations'", DENIED),
    ("SELECT * FROM pg_stat_activity", DENIED),
    ("SELECT * FROM postern.context_key", DENIED),
    ("PREPARE p AS SELECT email FROM users", UNSUPPORTED),
    ("SELECT user_id FROM users WHERE full_name = 'x'", UNSUPPORTED),
    ("SELECT user_id FROM users WHERE email LIKE 'user%'", UNSUPPORTED),
    ("SELECT user_id FROM users ORDER BY email", UNSUPPORTED),
    ("SELECT email::text FROM users", UNSUPPORTED),
    ("SELECT row_to_json(u) FROM users AS u", UNSUPPORTED),
    ("UPDATE users SET phone = email", UNSUPPORTED),
    ("UPDATE users SET email = full_name", UNSUPPORTED),
    ("SELECT FROM WHERE", UNSUPPORTED),
    ("SELECT 1 /* unclosed", UNSUPPORTED),
    ("SELECT 'unclosed", UNSUPPORTED),
    ("LOAD 'x'", UNSUPPORTED),
    (f"INSERT INTO evaluations VALUES {ROW}", DENIED),
    (f"WITH w AS (INSERT INTO evaluations VALUES {ROW} RETURNING 1) SELECT * FROM w", DENIED),
    (f"UPDATE evaluations SET tenant_id = '{VICTIM}'", DENIED),
    (f"INSERT INTO users (tenant_id, user_id, email, full_name, national_id) VALUES ('{VICTIM}',"
     " 900001, 'x', 'y', 'z')", DENIED),
    ("INSERT INTO tenants VALUES ('evil', 'Evil', 'trial')", DENIED),
    # Smuggled: what stands before and after leaves nothing behind either.
    (f"INSERT INTO usage_counters VALUES ('{OWN}', '1999-01-01', 1); SET ROLE mapper_owner",
     DENIED),
    (f"INSERT INTO usage_counters VALUES ('{OWN}', '1999-01-01', 1); SELECT FROM WHERE",
     UNSUPPORTED),
    (f"INSERT INTO usage_counters VALUES ('{OWN}', '1999-01-01', 1);"
     " SELECT user_id FROM users ORDER BY email", UNSUPPORTED),
    ("SELECT 1; /* ; */ COMMIT; DO 'x'", DENIED),
)  # fmt: skip

# Allowed, and nothing of another tenant is seen or changed.
HARMLESS = (
    f"SELECT tenant_id FROM evaluations WHERE tenant_id = '{VICTIM}'",
    f"SELECT verdict FROM evaluations WHERE tenant_id <> '{OWN}' OR tenant_id IS NULL",
    f"SELECT kind FROM events_2025_01 WHERE tenant_id <> '{OWN}'",
    f"SELECT file_name FROM legacy_exports WHERE customer <> '{OWN}'",
    f"SELECT label_code FROM label_totals WHERE tenant_id <> '{OWN}'",
    f"SELECT email FROM users WHERE tenant_id = '{VICTIM}'",
    f"UPDATE evaluations SET score = 0 WHERE tenant_id = '{VICTIM}'",
    f"UPDATE users SET email = 'mine' WHERE tenant_id = '{VICTIM}'",
    f"DELETE FROM events_2025_02 WHERE tenant_id = '{VICTIM}'",
    "DELETE FROM feedback WHERE tenant_id IS NULL",
    f"UPDATE detectors d SET threshold = 0 FROM tenants t WHERE t.tenant_id = '{VICTIM}'",
    f"MERGE INTO detectors d USING (VALUES ('{VICTIM}')) v (t) ON d.tenant_id = v.t"
    " WHEN MATCHED THEN DELETE",
    f"COPY (SELECT * FROM evaluations WHERE tenant_id = '{VICTIM}') TO STDOUT",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    messages: tuple[Message, ...]

    def errors(self) -> list[str]:
        return [m.sqlstate() for m in self.messages if m.type == "E"]

    def codes(self) -> list[str]:
        return [m.fields().get("D", "") for m in self.messages if m.type == "E"]

    def data(self) -> list[Message]:
        return [m for m in self.messages if m.type in "Dd"]


def ask(wire: Wire, *parts: bytes) -> Answer:
    """Sends; a COPY IN that is granted against expectation gets a row and is ended."""
    wire.send(*parts)
    found: list[Message] = []
    while (got := wire.receive()) is not None:
        found.append(got)
        if got.type == "G":
            wire.send(message("d", b"1\n"), message("c"))
        if got.type == "Z":
            break
    return Answer(tuple(found))


class AttackTest(ProtectedTest):
    digest: ClassVar[str]
    tables: ClassVar[list[str]]

    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.tables = [name for (name,) in rows(
            cls.direct(), "SELECT c.oid::regclass FROM pg_class c WHERE relkind IN ('r', 'p') AND"
            " NOT relispartition AND relnamespace = 'public'::regnamespace ORDER BY 1")]
        cls.digest = cls.state()

    @classmethod
    def state(cls) -> str:
        """A digest of every row, and of the schema, read as superuser."""
        parts = [f"SELECT '{t}', count(*), sum(hashtextextended(x::text, 0)) FROM {t} x"
                 for t in cls.tables]  # fmt: skip
        schema = ("SELECT 'schema', count(*), sum(hashtextextended(c.relname || relrowsecurity ||"
                  " relforcerowsecurity || coalesce(relacl::text, ''), 0)) FROM pg_class c"
                  " WHERE relnamespace::regnamespace::text NOT LIKE 'pg\\_%'")  # fmt: skip
        return str(rows(cls.direct(), " UNION ALL ".join([*parts, schema]) + " ORDER BY 1"))

    def unharmed(self, wire: Wire) -> None:
        """The session goes on, still within its tenant."""
        got = ask(wire, query("SELECT DISTINCT tenant_id FROM evaluations"))
        self.assertEqual([m.values() for m in got.data()], [[OWN.encode()]])
        self.assertEqual(got.messages[-1].body, b"I")

    def test_refused(self) -> None:
        for sql, sqlstate in REFUSED:
            with self.subTest(sql=sql[:80]), session(self.login(OWN)) as wire:
                got = ask(wire, query(sql))
                self.assertEqual(got.errors(), [sqlstate])
                self.assertEqual(got.data(), [])
                self.unharmed(wire)
                self.assertEqual(self.state(), self.digest)

    def test_harmless(self) -> None:
        with session(self.login(OWN)) as wire:
            for sql in HARMLESS:
                with self.subTest(sql=sql[:80]):
                    got = ask(wire, query(sql))
                    self.assertEqual((got.errors(), got.data()), ([], []))
                    self.unharmed(wire)
                    self.assertEqual(self.state(), self.digest)

    def test_refused_within_the_extended_protocol(self) -> None:
        for sql in ("SET ROLE mapper_owner", "DO 'x'", "SELECT set_config('postern.ctx', $1, true)",
                    "SELECT full_name FROM users ORDER BY 1", "CREATE TABLE loot (n int)",
                    "EXPLAIN SELECT * FROM users", "SELECT FROM WHERE"):  # fmt: skip
            with self.subTest(sql=sql), session(self.login(OWN)) as wire:
                got = ask(wire, parse(sql, "s"), SYNC)
                self.assertEqual(shape(list(got.messages)), "EZ")
                # The refused statement does not exist.
                got = ask(wire, bind(statement="s"), execute(), SYNC)
                self.assertEqual(got.errors(), ["26000"])
                self.unharmed(wire)

    def test_fast_path_call(self) -> None:
        oid = int(scalar(self.direct(), "SELECT 'pg_read_file(text)'::regprocedure::oid"))
        argument = b"/etc/passwd"
        body = oid.to_bytes(4, "big") + b"\0\1\0\0\0\1" + len(argument).to_bytes(4, "big")
        with session(self.login(OWN)) as wire:
            got = ask(wire, message("F", body + argument + b"\0\0"))
            self.assertEqual((got.errors(), got.codes()), ([DENIED], ["PST-2408"]))
            self.unharmed(wire)

    def test_execute_of_a_cursor_made_by_sql(self) -> None:
        with session(self.login(OWN)) as wire:
            ask(wire, query("BEGIN"))
            declared = ask(wire, query("DECLARE c CURSOR FOR SELECT * FROM evaluations"))
            self.assertEqual(declared.errors(), [])
            got = ask(wire, describe("P", "c"), execute("c"), SYNC)
            self.assertEqual((got.errors(), got.data()), (["34000"], []))
            ask(wire, query("ROLLBACK"))
            of_people = ask(wire, query("DECLARE c CURSOR WITH HOLD FOR SELECT email FROM users"))
            self.assertEqual(of_people.errors(), [UNSUPPORTED])
            self.unharmed(wire)

    def test_refusal_fails_the_open_transaction(self) -> None:
        with session(self.login(OWN)) as wire:
            ask(wire, query("BEGIN"))
            write = f"INSERT INTO usage_counters VALUES ('{OWN}', '1999-01-01', 1)"
            self.assertEqual(ask(wire, query(write)).errors(), [])
            refused = ask(wire, query("SET ROLE mapper_owner"))
            self.assertEqual((refused.errors(), refused.messages[-1].body), ([DENIED], b"E"))
            self.assertEqual(ask(wire, query("SELECT 1")).errors(), ["25P02"])
            extended = ask(wire, parse("SELECT 1"), bind(), execute(), SYNC)
            self.assertEqual(extended.errors(), ["25P02"])
            committed = ask(wire, query("COMMIT"))
            self.assertEqual(committed.messages[0].tag(), "ROLLBACK")
            self.unharmed(wire)
        self.assertEqual(self.state(), self.digest)

    def test_refusal_within_a_savepoint(self) -> None:
        with session(self.login(OWN)) as wire:
            for sql in ("BEGIN", "SAVEPOINT s"):
                ask(wire, query(sql))
            self.assertEqual(ask(wire, query("SELECT FROM WHERE")).errors(), [UNSUPPORTED])
            back = ask(wire, query("ROLLBACK TO s"))
            self.assertEqual((back.errors(), back.messages[-1].body), ([], b"T"))
            self.assertEqual(ask(wire, query("SELECT 1")).errors(), [])
            ask(wire, query("COMMIT"))
            self.unharmed(wire)

    def test_refusal_in_a_pipeline_stands_at_its_position(self) -> None:
        write = f"INSERT INTO usage_counters VALUES ('{OWN}', '1999-01-01', 1)"
        with session(self.login(OWN)) as wire:
            wire.send(
                parse("SELECT 7"), bind(), execute(),
                parse(write), bind(), execute(),
                parse("SET ROLE mapper_owner"), bind(), execute(),
                parse("SELECT 8"), bind(), execute(), SYNC,
                parse("SELECT 9"), bind(), execute(), SYNC,
            )  # fmt: skip
            first, second = wire.until_ready(), wire.until_ready()
            self.assertEqual(shape(first), "12DC12CEZ")
            self.assertEqual([m.sqlstate() for m in first if m.type == "E"], [DENIED])
            self.assertEqual(shape(second), "12DCZ")
            self.unharmed(wire)
        self.assertEqual(self.state(), self.digest)

    def test_refused_parameter_in_a_pipeline(self) -> None:
        """A value that cannot be sealed is refused at its Bind."""
        with session(self.login(OWN)) as wire:
            got = ask(wire, parse("SELECT 7"), bind(), execute(),
                      parse("UPDATE users SET birth_date = $1 WHERE user_id = 1"),
                      bind(b"2000-02-31"), execute(), parse("SELECT 8"), bind(), execute(),
                      SYNC)  # fmt: skip
            self.assertEqual(shape(list(got.messages)), "12DC1EZ")
            self.assertEqual(got.errors(), ["22008"])
            self.unharmed(wire)
        self.assertEqual(self.state(), self.digest)

    def test_bad_encoding(self) -> None:
        for body in (b"SELECT '\xff\xfe'\0", b"SELECT '\xc3'\0", b"SELECT '\xed\xa0\x80'\0"):
            with self.subTest(body=body), session(self.login(OWN)) as wire:
                got = ask(wire, message("Q", body))
                self.assertEqual(len(got.errors()), 1)
                self.assertIn(got.errors()[0], ("22021", UNSUPPORTED))
                self.unharmed(wire)
        with session(self.login(OWN)) as wire:
            got = ask(wire, parse("SELECT user_id FROM users WHERE email = $1"), bind(b"\xff\xfe"),
                      execute(), SYNC)  # fmt: skip
            self.assertEqual(got.errors(), ["22021"])
            self.unharmed(wire)

    def test_startup_parameters(self) -> None:
        for more in ({"options": "-c row_security=off"}, {"options": "-c role=mapper_owner"},
                     {"options": "-c postern.ctx=x"}, {"postern.ctx": "x"}, {"role": "postgres"},
                     {"options": "--row-security=off"}, {"options": "-crole=mapper_owner"},
                     {"options": "-e -c geqo=on"}, {"options": "-c ro\\le=postgres"},
                     {"options": f"-c postern.tenant={VICTIM}"},
                     {"row_security": "off"}, {"client_encoding": "SJIS"},
                     {"session_replication_role": "replica"},
                     {"options": "-c search_path=pg_temp"}, {"postern.tenant": VICTIM},
                     {"replication": "database"}):  # fmt: skip
            with self.subTest(more=more), Wire(self.postern.ports.clients) as wire:
                got = wire.login(self.login(OWN), more)
                if got and got[-1].type == "Z":  # then it must have had no effect
                    self.assertNotIn("role", more)
                    self.unharmed(wire)
                else:
                    self.assertIn(got[-1].sqlstate(), (DENIED, "28000", UNSUPPORTED, "22023"))

    def test_harmless_startup_options_are_taken(self) -> None:
        options = f"-c statement_timeout=4321 --DateStyle=German -c Postern.tenant={OWN}"
        with Wire(self.postern.ports.clients) as wire:
            got = wire.login(self.login(OWN), {"options": options})
            self.assertEqual(got[-1].type, "Z", [m.fields() for m in got if m.type == "E"])
            self.assertEqual(wire.parameters["DateStyle"], "German, DMY")
            shown = ask(wire, query("SHOW statement_timeout"))
            self.assertEqual(shown.data()[0].values(), [b"4321ms"])
            self.unharmed(wire)

    def test_context_is_of_no_use_elsewhere(self) -> None:
        """Read out and set by hand, past Postern, it opens nothing."""
        with session(self.login(VICTIM)) as wire:
            got = ask(wire, query("SELECT current_setting('postern.ctx')"))
            if got.errors():
                self.assertEqual(got.errors(), [DENIED])
                return
            token = (got.data()[0].values()[0] or b"").decode()
            stolen = self.direct().to(user=APP, password=self.passwords[APP])
            result = psql(stolen, f"SET postern.ctx = '{token}'", "SELECT count(*) FROM users",
                          flags=("-A", "-t", "-q"))  # fmt: skip
            self.assertTrue(result.rc != 0 or result.stdout.strip() == "0", result)

    def test_past_postern_there_is_nothing(self) -> None:
        stolen = self.direct().to(user=APP, password=self.passwords[APP])
        for table in ("users", "evaluations", "events", "events_2025_01", "legacy_exports"):
            self.assertEqual(scalar(stolen, f"SELECT count(*) FROM {table}"), "0")
        for statement in ("SET ROLE mapper_owner", "CREATE TABLE loot (n int)",
                          "ALTER TABLE users DISABLE ROW LEVEL SECURITY"):  # fmt: skip
            self.assertNotEqual(psql(stolen, statement).rc, 0)

    def test_two_tenants_never_share_a_session(self) -> None:
        """Many short connections in turn, on server connections that are used again."""
        for _ in range(8):
            for tenant in (OWN, VICTIM):
                with connect(self.login(tenant)) as client:
                    found = client.execute("SELECT DISTINCT tenant_id FROM users").fetchall()
                    self.assertEqual(found, [(tenant,)])

    def test_errors_do_not_repeat_protected_values(self) -> None:
        with connect(self.login(OWN)) as client:
            known = client.execute("SELECT email, national_id FROM users LIMIT 1").fetchone()
            assert known is not None
            sql = ("INSERT INTO users (tenant_id, user_id, email, full_name, national_id) VALUES"
                   " (%s, 900007, %s, 'Canary Name', %s)")  # fmt: skip
            with self.assertRaises(psycopg.Error) as caught:
                client.execute(sql, (OWN, *known))
        said = json.dumps([caught.exception.diag.message_primary,
                           caught.exception.diag.message_detail])  # fmt: skip
        for value in known:
            self.assertNotIn(value, said)
            self.assertNotIn(value, self.postern.log.since())
            self.assertNotIn(value, self.cluster.primary.log.since())

    def test_wall_and_audit_stand_at_the_end(self) -> None:
        self.postern.cli_checked(
            "policy", "verify", "-c", "postern.toml", "--database", "mapper",
            "--dsn", self.direct().public(), database=self.direct(),
        )  # fmt: skip
        self.postern.cli_checked("audit", "verify", "-c", "postern.toml")
