"""Pipelines on a protected database under both ways of pooling: what libraries send is answered as
by the server, and a name always stands for what the server takes it for."""

from __future__ import annotations

import json
import time

import psycopg

from postern_server import Ports
from protected_base import DATABASE, OWN, ProtectedTest
from psql_client import psql
from scratch import wait_until
from wire import (
    SYNC, Message, Wire, bind, describe, execute, message, parse, query, session, text,
)  # fmt: skip

EMAILS = "SELECT email FROM users WHERE user_id < 30 ORDER BY user_id"
NAMES = "SELECT role FROM users WHERE user_id < 30 ORDER BY user_id LIMIT 3"
ADD = ("INSERT INTO users (tenant_id, user_id, email, full_name, national_id) VALUES"
       f" ('{OWN}', $1, $2, 'Somebody', 'N970100') RETURNING email")  # fmt: skip
ASK = "SELECT $1::bigint, $2::text"
FAILS = (parse("SELECT 1 / (length('') - 0)", "fails"), bind(portal="f", statement="fails"),
         execute("f"))  # fmt: skip
CATALOG_SECONDS = 15


def told(messages: list[Message]) -> list[tuple[object, ...]]:
    """What an application sees: rows, tags, error codes and the transaction's status."""
    out: list[tuple[object, ...]] = []
    for m in messages:
        if m.type == "D":
            out.append(("D", *m.values()))
        elif m.type in "EC":
            out.append((m.type, m.sqlstate() if m.type == "E" else m.tag()))
        else:
            out.append((m.type, m.body if m.type == "Z" else b""))
    return out


def close(kind: str, name: str) -> bytes:
    return message("C", kind.encode() + text(name))


class PipelineTest(ProtectedTest):
    """Under session pooling."""

    pool_mode = "session"

    @classmethod
    def toml(cls, ports: Ports) -> str:
        name = f"[database.{DATABASE}]\n"
        return super().toml(ports).replace(
            name, f'{name}pool_mode = "{cls.pool_mode}"\npool_size = 2\n'
        )

    def pair(self) -> tuple[psycopg.Connection[tuple], psycopg.Connection[tuple]]:
        return self.connect(self.login(OWN)), self.connect(self.plain_twin())

    def wires(self) -> tuple[Wire, Wire]:
        found = session(self.login(OWN)), session(self.plain_twin().to(sslmode="disable"))
        for wire in found:
            self.addCleanup(wire.close)
        return found

    def alike(self, *groups: tuple[bytes, ...]) -> list[tuple[object, ...]]:
        """Sends the groups, each at once, here and to the twin; what both were told."""
        answers = []
        for wire in self.wires():
            got: list[tuple[object, ...]] = []
            for group in groups:
                sent = b"".join(group)
                wire.send(sent)
                ends = group.count(SYNC) + sum(part[:1] == b"Q" for part in group)
                for _ in range(ends):
                    got += told(wire.until_ready())
            answers.append(got)
        self.assertEqual(answers[0], answers[1])
        return answers[0]

    # --- what libraries send --------------------------------------------------------------------

    def test_reads_and_writes_prepared_and_not(self) -> None:
        answers = []
        for connection in self.pair():
            cursors = []
            with connection.transaction(force_rollback=True), connection.pipeline() as pipeline:
                for step, prepare in enumerate((False, True, None)):
                    for key in range(950_000 + 10 * step, 950_003 + 10 * step):
                        cursors.append(connection.execute(
                            "INSERT INTO users (tenant_id, user_id, email, full_name, national_id)"
                            " VALUES (%s, %s, %s, %s, %s) RETURNING email, full_name",
                            (OWN, key, f"x{key}@example.com", "Somebody", f"N{key}"),
                            prepare=prepare))  # fmt: skip
                        cursors.append(connection.execute(
                            "SELECT user_id FROM users WHERE email = %s", (f"x{key}@example.com",),
                            prepare=prepare))  # fmt: skip
                    pipeline.sync()
                    cursors.append(connection.execute(
                        "UPDATE users SET email = %s WHERE email = %s RETURNING email",
                        (f"new{step}@example.com", f"x{950_001 + 10 * step}@example.com"),
                        prepare=prepare))  # fmt: skip
                rows = [cursor.fetchall() for cursor in cursors]
            answers.append(rows)
        self.assertEqual(answers[0], answers[1])
        self.assertIn([("x950012@example.com", "Somebody")], answers[0])
        self.assertIn([("new2@example.com",)], answers[0])

    def test_statements_come_and_go_in_a_pipeline(self) -> None:
        """psycopg deallocates what it has too many of, in the midst of everything."""
        answers = []
        for connection in self.pair():
            connection.prepare_threshold, connection.prepared_max = 0, 2
            with connection.pipeline() as pipeline:
                cursors = []
                for number in range(12):
                    cursors.append(connection.execute(
                        f"SELECT email, {number % 4} FROM users WHERE user_id = %s", (number + 1,)))
                    if number % 3 == 2:
                        pipeline.sync()
                answers.append([cursor.fetchall() for cursor in cursors])
        self.assertEqual(answers[0], answers[1])
        self.assertTrue(any(answers[0]))

    def test_executemany_and_an_error_in_the_middle(self) -> None:
        answers = []
        for connection in self.pair():
            connection.autocommit = True
            states = []
            sql = "INSERT INTO users (tenant_id, user_id, email, full_name, national_id)"
            sql += " VALUES (%s, %s, %s, 'Many', %s)"
            good = [(OWN, 960_000 + n, f"m{n}@example.com", f"M{n}") for n in range(40)]
            again = [(OWN, 970_000, "a@example.com", "A"), (OWN, 960_001, "b@example.com", "B"),
                     (OWN, 970_002, "c@example.com", "C")]  # fmt: skip
            for rows in (good, again):
                try:
                    with connection.cursor() as cursor:
                        cursor.executemany(sql, rows)
                        states.append(str(cursor.rowcount))
                except psycopg.Error as error:
                    states.append(error.sqlstate or "?")
            kept = connection.execute("SELECT user_id, email FROM users WHERE user_id >= 960000"
                                      " ORDER BY user_id").fetchall()  # fmt: skip
            connection.execute("DELETE FROM users WHERE user_id >= 960000")
            answers.append((states, kept))
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0][0], ["40", "23505"])

    def test_a_pipeline_goes_on_behind_an_error(self) -> None:
        answers = []
        for connection in self.pair():
            connection.autocommit = True
            states = []
            with connection.pipeline() as pipeline:
                for number in range(6):
                    divisor = (number % 3) - 1
                    connection.execute("SELECT email, 1 / %s FROM users LIMIT 1", (divisor,))
                    try:
                        pipeline.sync()
                    except psycopg.Error as error:
                        states.append(error.sqlstate)
            answers.append(states)
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[0], ["22012"] * 2)

    def test_every_batch_at_once(self) -> None:
        """As libpq_pipeline does: prepare, use and close over many Syncs without waiting."""
        groups: list[bytes] = []
        for number in range(8):
            name = f"s{number % 3}"
            groups += [parse(EMAILS if number % 2 else NAMES, name), describe("S", name), SYNC,
                       bind(statement=name), execute(), SYNC,
                       bind(portal="p", statement=name), describe("P", "p"), execute("p", 2),
                       execute("p"), SYNC, close("S", name), SYNC]  # fmt: skip
        got = self.alike(tuple(groups))
        self.assertEqual([m for m in got if m[0] == "E"], [])

    # --- names foretold wrongly -----------------------------------------------------------------

    def recorded(self, before: int) -> list[str]:
        """Texts of statements on record since, of which the server said that they succeeded."""
        done = self.postern.cli("audit", "search", "-c", "postern.toml", "--json")
        found = [json.loads(line)["record"] for line in done.stdout.splitlines()
                 if line.startswith("{")]  # fmt: skip
        return [json.dumps(record) for record in found[before:]]

    def test_a_name_in_use_keeps_its_meaning(self) -> None:
        got = self.alike(
            (parse(EMAILS, "s"), SYNC),
            (parse(NAMES, "s"), SYNC, bind(statement="s"), execute(), SYNC),
        )
        self.assertIn(("E", "42P05"), got)
        self.assertTrue(any(b"@" in (row[1] or b"") for row in got if row[0] == "D"))

    def test_values_of_the_former_statement_are_sealed(self) -> None:
        known = b"canary-970100@example.com"
        got = self.alike(
            (query("BEGIN"),),
            (parse(ADD, "s"), SYNC),
            (query("SAVEPOINT a"),),
            (parse(ASK, "s"), SYNC),
            (query("ROLLBACK TO a"), bind(b"970100", known, statement="s"), execute(), SYNC),
            (query("ROLLBACK"),),
        )
        self.assertIn(("D", known), got)

    def test_what_was_skipped_never_was(self) -> None:
        got = self.alike(
            (parse(EMAILS), SYNC),
            (*FAILS, parse(NAMES), SYNC, bind(), describe("P"), execute(), SYNC),
        )
        self.assertIn(("E", "22012"), got)
        self.assertTrue(any(b"@" in (row[1] or b"") for row in got if row[0] == "D"))

    def test_a_statement_that_was_skipped_is_none(self) -> None:
        got = self.alike((*FAILS, parse("SELECT 1", "t"), SYNC, bind(statement="t"), execute(),
                          SYNC))  # fmt: skip
        self.assertEqual([state for kind, state in (m[:2] for m in got) if kind == "E"],
                         ["22012", "26000"])  # fmt: skip

    def test_portals_of_a_savepoint_before(self) -> None:
        got = self.alike(
            (query("BEGIN"),),
            (parse(EMAILS, "a"), bind(portal="p", statement="a"), execute("p", 1), SYNC),
            (query("SAVEPOINT s"),),
            (*FAILS, parse(NAMES, "b"), bind(portal="p", statement="b"), SYNC,
             query("ROLLBACK TO s"), describe("P", "p"), execute("p", 2), SYNC),
            (query("ROLLBACK"),),
        )  # fmt: skip
        self.assertEqual(len([row for row in got if row[0] == "D" and b"@" in (row[1] or b"")]), 3)

    def test_what_the_log_says_was_run(self) -> None:
        mark = len(self.recorded(0))
        with session(self.login(OWN)) as wire:
            wire.ask(parse("SELECT email, 'first' FROM users LIMIT 1", "s"), SYNC)
            wire.send(parse("SELECT role, 'second' FROM users LIMIT 1", "s"), SYNC,
                      bind(statement="s"), execute(), SYNC)  # fmt: skip
            wire.until_ready()
            rows = [m.values() for m in wire.until_ready() if m.type == "D"]
        self.assertIn(b"first", rows[0])
        time.sleep(0.5)
        records = [record for record in self.recorded(mark) if "FROM users LIMIT" in record]
        self.assertTrue(records)
        for record in records:
            self.assertIn("email", record)
            self.assertNotIn("role,", record)

    def test_names_that_sql_changes(self) -> None:
        """DEALLOCATE and PREPARE in front of a Bind that does not wait for them."""
        with session(self.login(OWN)) as wire:
            wire.ask(parse(EMAILS, "s"), SYNC)
            wire.send(query("DEALLOCATE s"), query("PREPARE s AS SELECT 'of SQL'"),
                      bind(statement="s"), execute(), SYNC)  # fmt: skip
            got = [m for _ in range(3) for m in wire.until_ready()]
            self.assertEqual([m.values() for m in got if m.type == "D"], [])
            self.assertEqual(got[-2].fields()["D"], "PST-2416")

    # --- portals over a change of the schema ----------------------------------------------------

    def test_a_portal_goes_on_when_the_schema_changes_elsewhere(self) -> None:
        with session(self.login(OWN)) as wire:
            wire.ask(query("BEGIN"))
            first = wire.ask(parse(EMAILS), bind(), execute(max_rows=2), SYNC)
            mark = self.postern.log.mark()
            name = f"elsewhere_{self.pool_mode}"
            psql(self.direct(), f"CREATE TABLE {name} (tenant_id text, n int)").checked()
            self.addCleanup(psql, self.direct(), f"DROP TABLE {name}")
            wait_until(lambda: " catalog_loaded " in self.postern.log.since(mark)
                       or " policy_loaded " in self.postern.log.since(mark),
                       "the new catalog", CATALOG_SECONDS)  # fmt: skip
            more = wire.ask(execute(max_rows=2), SYNC)
            self.assertEqual([m.sqlstate() for m in more if m.type == "E"], [])
            rows = [m.values()[0] for m in first + more if m.type == "D"]
            self.assertEqual(len(rows), 4)
            self.assertTrue(all(b"@" in (row or b"") for row in rows))


class PooledPipelineTest(PipelineTest):
    """Under transaction pooling."""

    pool_mode = "transaction"


if __name__ == "__main__":
    import unittest

    unittest.main()
