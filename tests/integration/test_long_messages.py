"""Messages too long to be held whole go on in parts; all others stay bounded."""

from __future__ import annotations

import struct
import time

from postern_server import Ports
from relay_base import APP, DATABASE, RelayTest
from wire import (
    FLUSH, SYNC, Wire, bind, describe, execute, message, parse, query, send_cancel, session, shape,
)  # fmt: skip

LONG = 256 * 1024  # what is longer goes on in parts
MESSAGE_BYTES = 1 << 20


class LongMessageTest(RelayTest):
    @classmethod
    def toml(cls, ports: Ports) -> str:
        login = f'cluster = "main"\nuser = "{APP}"\npassword_file = "app.password"\n'
        pool = f'[database.shared]\n{login}upstream = "{DATABASE}"\npool_mode = "transaction"\n'
        whole = super().toml(ports) + pool + "pool_size = 1\n"
        return whole.replace("[limits]\n", f"[limits]\nmessage_bytes = {MESSAGE_BYTES}\n"
                             "query_bytes = 4096\nencrypted_value_bytes = 4096\n")  # fmt: skip

    def each_pool(self) -> list[Wire]:
        return [self.wire(self.client()), self.wire(self.client(dbname="shared"))]

    def wire(self, dsn) -> Wire:  # noqa: ANN001
        opened = session(dsn)
        wire = opened.__enter__()
        self.addCleanup(opened.__exit__, None, None, None)
        return wire

    def value_for(self, total: int, statement: str) -> bytes:
        """A value that makes its Bind `total` bytes long."""
        return b"v" * (total - len(bind(b"", statement=statement)))

    def test_bind_at_the_limit_one_past_it_and_above_message_bytes(self) -> None:
        for wire in self.each_pool():
            wire.ask(parse("SELECT length($1::text), md5($1::text)", "long"), SYNC)
            for total in (LONG - 1, LONG, LONG + 1, 5 * MESSAGE_BYTES):
                value = self.value_for(total, "long")
                got = wire.ask(bind(value, statement="long"), describe("P"), execute(), SYNC)
                self.assertEqual(shape(got), "2TDCZ", total)
                self.assertEqual(got[2].values()[0], str(len(value)).encode())

    def test_a_long_bind_that_waits_can_be_cancelled(self) -> None:
        wire, holder = (self.wire(self.client(dbname="shared")) for _ in range(2))
        wire.ask(parse("SELECT length($1::text)", "long"), SYNC)
        holder.ask(query("BEGIN"))
        wire.send(bind(b"x" * (3 * LONG), statement="long"), execute(), SYNC)
        time.sleep(0.3)
        send_cancel(self.postern.ports.clients, wire.key[0], wire.secret)
        got = wire.until_ready()
        self.assertEqual((shape(got), got[0].sqlstate()), ("EZ", "57014"))
        holder.ask(query("COMMIT"))
        got = wire.ask(bind(b"abc", statement="long"), execute(), SYNC)
        self.assertEqual(shape(got), "2DCZ")

    def test_parse_and_long_bind_in_one_batch(self) -> None:
        value = b"x" * (3 * LONG)
        for wire in self.each_pool():
            for name in ("", "once"):
                got = wire.ask(
                    parse("SELECT length($1::text)", name),
                    bind(value, statement=name), execute(),
                    bind(b"abc", statement=name), execute(), SYNC,
                )  # fmt: skip
                self.assertEqual(shape(got), "12DC2DCZ")
                self.assertEqual([m.values() for m in got if m.type == "D"],
                                 [[str(len(value)).encode()], [b"3"]])  # fmt: skip

    def test_long_bind_behind_an_error_is_passed_over(self) -> None:
        value = b"x" * (3 * LONG)
        for wire in self.each_pool():
            got = wire.ask(parse("SELECT 1 +"), bind(value), execute(), SYNC)
            self.assertEqual((shape(got), got[0].sqlstate()), ("EZ", "42601"))
            wire.send(parse("SELECT nothing"), FLUSH)
            self.assertEqual(wire.receive().sqlstate(), "42703")
            got = wire.ask(bind(value), execute(), SYNC)
            self.assertEqual(shape(got), "Z")
            self.assertEqual(wire.ask(query("SELECT 1"))[1].values(), [b"1"])

    def test_long_bind_of_an_unknown_statement(self) -> None:
        for wire in self.each_pool():
            got = wire.ask(bind(b"x" * (3 * LONG), statement="nobody"), execute(), SYNC)
            self.assertEqual((shape(got), got[0].sqlstate()), ("EZ", "26000"))
            self.assertEqual(wire.ask(query("SELECT 1"))[1].values(), [b"1"])

    def test_names_that_fill_the_beginning_end_the_session(self) -> None:
        wire = self.wire(self.client())
        wire.send(bind(b"", statement="n" * (2 * LONG)), SYNC)
        self.assertEqual(wire.receive().sqlstate(), "08P01")

    def test_long_query_and_what_it_leaves_behind(self) -> None:
        filler = "f" * (2 * MESSAGE_BYTES)
        for wire in self.each_pool():
            got = wire.ask(query(f"SELECT length('{filler}')"))
            self.assertEqual(got[1].values(), [str(len(filler)).encode()])
            self.assertEqual(shape(wire.ask(query(f"SELECT 1 + /* {filler} */"))), "EZ")
            self.assertEqual(shape(wire.ask(query(f"SET work_mem = '5MB' -- {filler}"))), "CZ")
            self.assertEqual(wire.ask(query("SHOW work_mem"))[1].values(), [b"5MB"])
        other = self.wire(self.client(dbname="shared"))
        self.assertNotEqual(other.ask(query("SHOW work_mem"))[1].values(), [b"5MB"])

    def test_long_row_of_a_copy_and_one_that_nobody_wants(self) -> None:
        row = b"r" * (2 * MESSAGE_BYTES)
        for wire in self.each_pool():
            wire.ask(query("DROP TABLE IF EXISTS rows_of; CREATE TABLE rows_of (t text)"))
            wire.send(query("COPY rows_of FROM STDIN"))
            self.assertEqual(wire.receive().type, "G")
            got = wire.ask(message("d", row + b"\n"), message("c"))
            self.assertEqual(got[0].tag(), "COPY 1")
            wire.send(query("COPY rows_of (nothing) FROM STDIN"))
            self.assertEqual(shape([wire.receive(), wire.receive()]), "EZ")
            got = wire.ask(message("d", row), message("c"), query("SELECT length(t) FROM rows_of"))
            self.assertEqual(got[1].values(), [str(len(row)).encode()])

    def test_other_messages_are_bounded(self) -> None:
        for total, state in ((MESSAGE_BYTES, "1"), (MESSAGE_BYTES + 1, "E")):
            wire = self.wire(self.client())
            body = b"\0SELECT 1 --"  # the length word counts itself, not the type
            body += b"-" * (total - 4 - len(body) - 3) + b"\0\0\0"
            wire.send(b"P" + struct.pack("!i", total) + body, FLUSH)
            self.assertEqual(wire.receive().type, state, total)
