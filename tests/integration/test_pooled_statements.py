"""Transaction pooling: statements under their own names, whatever servers call them."""

from __future__ import annotations

import struct

from postern_server import Ports
from relay_base import APP, DATABASE, RelayTest
from wire import SYNC, Wire, bind, execute, parse, query, session, shape


class PooledStatementsTest(RelayTest):
    """"shared" has one server connection for everybody."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        return super().toml(ports) + (
            f'[database.shared]\ncluster = "main"\nupstream = "{DATABASE}"\nuser = "{APP}"\n'
            'password_file = "app.password"\npool_mode = "transaction"\npool_size = 1\n'
        )

    def shared(self) -> Wire:
        return session(self.client(dbname="shared"))

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
