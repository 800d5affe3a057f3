"""Transaction pooling: statements under their own names, whatever servers call them."""

from __future__ import annotations

import struct

from postern_server import Ports
from psql_client import psql
from relay_base import APP, DATABASE, RelayTest
from wire import SYNC, Wire, bind, describe, execute, message, parse, query, session, shape

MOST = 5  # statements of one client
MOST_BYTES = 64 * 1024  # of their text


class PooledStatementsTest(RelayTest):
    """"shared" has one server connection for everybody."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        text = super().toml(ports).replace(
            "[limits]",
            f"[limits]\nclient_statements = {MOST}\nclient_statement_bytes = {MOST_BYTES}",
        )
        return text + (
            f'[database.shared]\ncluster = "main"\nupstream = "{DATABASE}"\nuser = "{APP}"\n'
            'password_file = "app.password"\npool_mode = "transaction"\npool_size = 1\n'
        )

    def shared(self) -> Wire:
        return session(self.client(dbname="shared"))

    def altered(self, table: str, change: str) -> None:
        """The schema changes past Postern."""
        psql(self.cluster.primary.superuser.to(dbname=DATABASE),
             f"ALTER TABLE {table} {change}").checked()

    def test_outdated_plans_are_made_anew_whoever_describes_first(self) -> None:
        every = "SELECT * FROM altered"
        with self.shared() as first, self.shared() as own:
            first.ask(query("CREATE TABLE altered AS SELECT 1 AS a"))
            for wire in (first, own):
                wire.ask(parse(every, "mine"), SYNC)
                self.assertEqual(shape(wire.ask(bind(statement="mine"), execute(), SYNC)), "2DCZ")
            groups = {
                "1tTZ": (parse(every, "new"), describe("S", "new"), SYNC),
                "12TDCZ": (parse(every, "new"), bind(statement="new"), describe("P"), execute(),
                           SYNC),
                "12DCZ": (parse(every, "new"), bind(statement="new"), execute(), SYNC),
            }  # fmt: skip
            for number, (wanted, group) in enumerate(groups.items()):
                self.altered("altered", f"ADD b{number} int")
                with self.subTest(wanted), self.shared() as wire:
                    self.assertEqual(shape(wire.ask(*group)), wanted)
                    self.assertEqual(shape(wire.ask(describe("S", "new"), SYNC)), "tTZ")
            # Who prepared it long ago.
            self.altered("altered", "ADD last int")
            got = own.ask(describe("S", "mine"), SYNC)
            self.assertEqual(shape(got), "tTZ")
            self.assertEqual(struct.unpack_from("!h", got[1].body)[0], 5)
            self.assertEqual(shape(first.ask(bind(statement="mine"), execute(), SYNC)), "2DCZ")

    def test_outdated_plan_within_a_transaction_is_an_error_once(self) -> None:
        every = "SELECT * FROM altered_too"
        with self.shared() as first:
            first.ask(query("CREATE TABLE altered_too AS SELECT 1 AS a"))
            first.ask(parse(every, "mine"), SYNC)
            first.ask(bind(statement="mine"), execute(), SYNC)
            self.altered("altered_too", "ADD b int")
            with self.shared() as wire:
                group = (parse(every, "new"), describe("S", "new"), SYNC)
                wire.ask(query("BEGIN"))
                got = wire.ask(*group)
                self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["0A000"])
                wire.ask(query("ROLLBACK"))
                wire.ask(query("BEGIN"))
                self.assertEqual(shape(wire.ask(describe("S", "new"), SYNC)), "tTZ")

    def test_statements_of_one_client_are_counted(self) -> None:
        for dbname in ("shared", DATABASE):
            with self.subTest(dbname), session(self.client(dbname=dbname)) as wire:
                wire.ask(parse("SELECT 0"), SYNC)
                for number in range(MOST):
                    got = wire.ask(parse(f"SELECT {number}", f"s{number}"), SYNC)
                    self.assertEqual(shape(got), "1Z")
                self.assertEqual(self.told(wire, parse("SELECT 1", "more"), SYNC)[0][0], "54000")
                run = (parse("SELECT 1", "more"), bind(statement="more"), execute(), SYNC)
                self.assertEqual(self.told(wire, *run)[0][0], "54000")
                self.assertEqual(shape(wire.ask(parse("SELECT 1"), SYNC)), "1Z")
                wire.ask(message("C", b"Ss0\0"), SYNC)
                self.assertEqual(shape(wire.ask(parse("SELECT 1", "more"), SYNC)), "1Z")

    def test_text_of_the_statements_of_one_client_is_counted(self) -> None:
        def text(size: int) -> str:
            return "SELECT 1 -- " + "x" * (size - 12)

        for dbname in ("shared", DATABASE):
            with self.subTest(dbname), session(self.client(dbname=dbname)) as wire:
                self.assertEqual(shape(wire.ask(parse(text(MOST_BYTES + 1), "alone"), SYNC)), "1Z")
                wire.ask(message("C", b"Salone\0"), SYNC)
                self.assertEqual(shape(wire.ask(parse(text(MOST_BYTES - 20), "a"), SYNC)), "1Z")
                self.assertEqual(shape(wire.ask(parse(text(20), "b"), SYNC)), "1Z")
                self.assertEqual(self.told(wire, parse("SELECT 1", "c"), SYNC)[0][0], "54000")
                self.assertEqual(shape(wire.ask(parse(text(MOST_BYTES)), SYNC)), "1Z")
                wire.ask(message("C", b"Sb\0"), SYNC)
                self.assertEqual(shape(wire.ask(parse("SELECT 1", "c"), SYNC)), "1Z")

    def test_values_follow_in_the_encoding_of_each_client(self) -> None:
        latin, utf = "caf\xe9".encode("latin-1"), "caf\xe9 \u20ac".encode()
        with self.shared() as one, self.shared() as other:
            one.ask(query("SET client_encoding = 'LATIN1'"))
            one.ask(message("Q", b"SET my.word = '" + latin + b"'\0"))
            for wire, value in ((other, utf), (one, latin), (other, utf), (one, latin)):
                if wire is other:
                    other.ask(message("Q", b"SET my.word = '" + utf + b"'\0"))
                got = wire.ask(query("SELECT current_setting('my.word')"))
                self.assertEqual(shape(got), "TDCZ")
                self.assertEqual(got[1].values(), [value])

    def test_what_cannot_be_undone_ends_with_its_client(self) -> None:
        psql(self.cluster.primary.superuser.to(dbname=DATABASE),
             f"GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean)"
             f" TO {APP}").checked()  # fmt: skip
        pid = query("SELECT pg_backend_pid()")
        with self.shared() as wire:
            before = wire.ask(pid)[1].values()
            self.assertEqual(shape(wire.ask(query("SELECT pg_backup_start('x', true)"))), "TDCZ")
            self.assertEqual(wire.ask(pid)[1].values(), before)
        with self.shared() as wire:
            self.assertNotEqual(wire.ask(pid)[1].values(), before)

    def told(self, wire: Wire, *texts: bytes) -> list[tuple[str, str]]:
        return [(m.sqlstate(), m.fields()["M"]) for m in wire.ask(*texts) if m.type == "E"]

    def test_execute_of_what_cannot_be_prepared_again_is_one_error(self) -> None:
        with self.shared() as first:
            first.ask(query("CREATE TABLE going (n int)"))
            first.ask(parse("SELECT n FROM going", "mine"), SYNC)
            with self.shared() as second:
                second.ask(query("DISCARD ALL"))
                second.ask(query("DROP TABLE going"))
            got = first.ask(query("EXECUTE mine"))
            self.assertEqual(shape(got), "EZ")
            self.assertEqual(got[0].sqlstate(), "42P01")
            first.ask(query("BEGIN"))
            got = first.ask(query("EXECUTE mine"))
            self.assertEqual((shape(got), got[1].body), ("EZ", b"E"))
            got = first.ask(query("EXECUTE mine"))
            self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["25P02"])

    def test_errors_name_statements_as_the_client_does(self) -> None:
        with self.shared() as wire:
            wire.ask(parse("SELECT $1::int", "mine"), SYNC)
            bound = self.told(wire, bind(statement="mine"), SYNC)
            self.assertEqual(bound, [("08P01", "bind message supplies 0 parameters, but prepared"
                                      ' statement "mine" requires 1')])  # fmt: skip
            again = self.told(wire, parse("SELECT 2", "mine"), SYNC)
            self.assertEqual(again, [("42P05", 'prepared statement "mine" already exists')])
            wrong = self.told(wire, query("EXECUTE mine"))
            self.assertEqual(wrong, [("42601", 'wrong number of parameters for prepared statement'
                                      ' "mine"')])  # fmt: skip
            wire.send(query("DEALLOCATE mine"), bind(b"1", statement="mine"), SYNC)
            wire.until_ready()
            gone = [(m.sqlstate(), m.fields()["M"]) for m in wire.until_ready() if m.type == "E"]
            self.assertEqual(gone, [("26000", 'prepared statement "mine" does not exist')])
            # What it says of a name that only looks like ours is left alone.
            text = "EXECUTE postern_00000000000000000000000000000000"
            self.assertIn("postern_0000", self.told(wire, query(text))[0][1])

    def test_a_name_in_use_is_the_servers_last_objection(self) -> None:
        with self.shared() as wire:
            wire.ask(parse("SELECT 1", "mine"), SYNC)
            self.assertEqual(self.told(wire, parse("SELEC 2", "mine"), SYNC)[0][0], "42601")
            self.assertEqual(self.told(wire, parse("SELECT 2", "mine"), SYNC)[0][0], "42P05")
            got = wire.ask(bind(statement="mine"), execute(), SYNC)
            self.assertEqual(got[1].values(), [b"1"])
            # Sent before the answer to the first is here.
            wire.send(parse("SELEC", "late"), SYNC, parse("SELECT 3", "late"), SYNC)
            self.assertEqual(shape(wire.until_ready()) + shape(wire.until_ready()), "EZ1Z")

    def test_deallocate_and_execute_by_message(self) -> None:
        with self.shared() as wire, self.shared() as other:
            wire.ask(parse("SELECT 7", "mine"), SYNC)
            other.ask(query("DISCARD ALL"))
            run = (parse("EXECUTE mine"), bind(), execute(), SYNC)
            self.assertEqual(wire.ask(*run)[2].values(), [b"7"])
            drop = (parse("DEALLOCATE mine"), bind(), execute(), SYNC)
            self.assertEqual(shape(wire.ask(*drop)), "12CZ")
            self.assertEqual(self.told(wire, *drop),
                             [("26000", 'prepared statement "mine" does not exist')])  # fmt: skip
            self.assertEqual(shape(wire.ask(parse("SELECT 8", "mine"), SYNC)), "1Z")

    def test_own_notifications_are_known_by_the_process_id(self) -> None:
        with self.shared() as wire, self.shared() as other:
            wire.ask(query("LISTEN here"))
            got = wire.ask(query("NOTIFY here"))
            told = next(m for m in got if m.type == "A")
            self.assertEqual(struct.unpack_from("!i", told.body)[0], wire.key[0])
            del other

    def test_a_parameter_is_reported_once_at_login(self) -> None:
        for changes in ({}, {"timezone": "Asia/Tokyo"}):
            dsn = self.client(dbname="shared")
            with Wire(dsn.port) as wire:
                got = wire.login(dsn, changes)
            names = [m.body.split(b"\0")[0] for m in got if m.type == "S"]
            self.assertEqual(names, sorted(names, key=bytes.lower))
            self.assertEqual(len(names), len(set(names)))

    def test_unnamed_statement_behind_a_query_and_a_skipped_parse(self) -> None:
        for dbname in ("shared", DATABASE):
            with session(self.client(dbname=dbname)) as wire:
                for _ in range(20):
                    wire.ask(parse("SELECT 1"), SYNC)
                    wire.send(parse("SELEC"), parse("SELECT 2"), SYNC, query("SELECT 3"))
                    wire.send(bind(), SYNC)
                    answers = [shape(wire.until_ready()) for _ in range(3)]
                    self.assertEqual(answers, ["EZ", "TDCZ", "EZ"])


if __name__ == "__main__":
    import unittest

    unittest.main()
