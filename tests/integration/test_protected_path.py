"""Settings that change what names mean: within one batch, and behind code of the database."""

from __future__ import annotations

import contextlib
import socket
from typing import ClassVar

from postern_server import Ports
from protected_base import APP, DATABASE, OWN, OWNER, TWIN, ProtectedTest
from psql_client import psql, rows
from tampering import Order, TamperingRelay
from wire import SYNC, Message, Wire, bind, execute, parse, query, session

PLAIN = "mail of the shadow"
BODY = "BEGIN PERFORM set_config('search_path', wanted, false); RETURN wanted; END"
OBJECTS = (
    "CREATE SCHEMA shadow",
    f"GRANT USAGE ON SCHEMA shadow TO {APP}",
    f"CREATE VIEW shadow.users AS SELECT 1 AS user_id, '{PLAIN}'::text AS email",
    f"GRANT SELECT ON shadow.users TO {APP}",
    f"CREATE FUNCTION public.use_path(wanted text) RETURNS text LANGUAGE plpgsql AS $$ {BODY} $$",
    "CREATE FUNCTION public.stable_path(wanted text) RETURNS text STABLE LANGUAGE plpgsql AS"
    f" $$ {BODY} $$",
    "CREATE FUNCTION public.sql_path(wanted text) RETURNS text STABLE LANGUAGE sql BEGIN ATOMIC"
    " SELECT set_config('search_path', wanted, false); END",
    "CREATE TABLE public.switches (tenant_id text, to_path text)",
    f"GRANT INSERT ON public.switches TO {APP}",
    "CREATE FUNCTION public.on_switch() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM use_path(NEW.to_path); RETURN NEW; END $$",
    "CREATE TRIGGER s AFTER INSERT ON public.switches FOR EACH ROW"
    " EXECUTE FUNCTION public.on_switch()",
)
SHADOW = "shadow, public"
MAIL = "SELECT email FROM users WHERE user_id = 1"
#: Each changes the path to SHADOW by code of the database.
MOVES = (
    f"SELECT use_path('{SHADOW}')",
    f"SELECT stable_path('{SHADOW}')",
    f"SELECT sql_path('{SHADOW}')",
    f"INSERT INTO public.switches VALUES ('{OWN}', '{SHADOW}')",
)


def told(messages: list[Message]) -> list[list[bytes | None]]:
    return [m.values() for m in messages if m.type == "D"]


class PathTest(ProtectedTest):
    """`users` of the path's first schema: encrypted in public, plain in shadow."""

    mine: ClassVar[bytes]

    @classmethod
    def boot(cls) -> None:
        super().boot()
        owner = cls.direct().to(options=f"-c role={OWNER}")
        psql(owner, *OBJECTS).checked()
        with session(cls.login(OWN)) as wire:
            for _ in range(200):
                got = wire.ask(query(f"INSERT INTO public.switches VALUES ('{OWN}', 'public')"))
                if all(m.type != "E" for m in got):
                    break
                wire.ask(query("SELECT pg_sleep(0.1)"))
        cls.mine = cls.twin_mail()

    @classmethod
    def twin_mail(cls) -> bytes:
        text = f"SELECT email FROM users WHERE user_id = 1 AND tenant_id = '{OWN}'"
        return str(rows(cls.direct(TWIN), text)[0][0]).encode()

    def check(self, messages: list[Message], *wanted: bytes) -> None:
        errors = [m.fields() for m in messages if m.type == "E"]
        self.assertEqual(errors, [])
        self.assertEqual([v[0] for v in told(messages)][-len(wanted):], list(wanted))

    def test_a_text_behind_set_in_one_batch(self) -> None:
        for setting in (f"SET search_path = {SHADOW}", f"SET LOCAL search_path = {SHADOW}",
                        f"SELECT set_config('search_path', '{SHADOW}', false)"):  # fmt: skip
            with session(self.login(OWN)) as wire:
                got = wire.ask(parse(setting), bind(), execute(), parse(MAIL), bind(), execute(),
                               SYNC)  # fmt: skip
                self.check(got, PLAIN.encode())

    def test_a_statement_bound_behind_set_in_one_batch(self) -> None:
        with session(self.login(OWN)) as wire:
            got = wire.ask(parse(MAIL, "mine"), bind(statement="mine"), execute(),
                           parse(f"SET search_path = {SHADOW}"), bind(), execute(),
                           bind(statement="mine"), execute(),
                           parse("RESET search_path"), bind(), execute(),
                           bind(statement="mine"), execute(), SYNC)  # fmt: skip
            self.check(got, self.mine, PLAIN.encode(), self.mine)

    def test_an_error_in_front_skips_the_rest(self) -> None:
        with session(self.login(OWN)) as wire:
            got = wire.ask(parse(f"SET search_path = {SHADOW}"), bind(), execute(),
                           parse("SELECT 1 / 0"), bind(), execute(),
                           parse(MAIL), bind(), execute(), SYNC)  # fmt: skip
            self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["22012"])
            self.assertEqual(told(got), [])
            self.check(wire.ask(query(MAIL)), self.mine)

    def test_code_moves_the_path(self) -> None:
        for move in MOVES:
            with self.subTest(move), session(self.login(OWN)) as wire:
                self.check(wire.ask(query(MAIL)), self.mine)
                wire.ask(query(move))
                self.check(wire.ask(query(MAIL)), PLAIN.encode())
                wire.ask(parse(move.replace(SHADOW, "public")), bind(), execute(), SYNC)
                self.check(wire.ask(query(MAIL)), self.mine)

    def test_code_moves_the_path_within_a_batch(self) -> None:
        for move in MOVES:
            with self.subTest(move), session(self.login(OWN)) as wire:
                got = wire.ask(parse(MAIL, "mine"), parse(move), bind(), execute(),
                               bind(statement="mine"), execute(), SYNC)  # fmt: skip
                self.check(got, PLAIN.encode())

    def test_code_moves_the_path_in_a_pipeline_of_texts(self) -> None:
        with session(self.login(OWN)) as wire:
            wire.send(query(MOVES[0]), query(MAIL))
            wire.until_ready()
            self.check(wire.until_ready(), PLAIN.encode())

    def test_a_rollback_takes_it_back(self) -> None:
        for move in MOVES:
            with self.subTest(move), session(self.login(OWN)) as wire:
                wire.ask(query("BEGIN"))
                wire.ask(query(move))
                self.check(wire.ask(query(MAIL)), PLAIN.encode())
                wire.ask(query("SELECT 1 / 0"))
                wire.ask(query("ROLLBACK"))
                self.check(wire.ask(query(MAIL)), self.mine)

    def test_the_unnamed_statement_and_portal_outlive_the_question(self) -> None:
        with session(self.login(OWN)) as wire:
            wire.ask(query("BEGIN"))
            rows_of = "SELECT use_path('public') FROM generate_series(1, 3)"
            first = wire.ask(parse(rows_of), bind(), execute(max_rows=1), SYNC)
            self.assertEqual(len(told(first)), 1, first)
            rest = wire.ask(execute(), SYNC)
            self.assertEqual(len(told(rest)), 2, rest)
            again = wire.ask(bind(), execute(), SYNC)
            self.assertEqual(len(told(again)), 3, again)
            wire.ask(query("COMMIT"))
            names = wire.ask(query("SELECT count(*) FROM pg_prepared_statements"))
            self.assertEqual([m.sqlstate() for m in names if m.type == "E"], [])


class PooledPathTest(PathTest):
    """The same where the server connection goes back between transactions."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        pooled = f'[database.{DATABASE}]\npool_mode = "transaction"\n'
        return super().toml(ports).replace(f"[database.{DATABASE}]\n", pooled)


class Listening(TamperingRelay):
    """Keeps what goes to the server, as it came."""

    def __init__(self, target: int) -> None:
        super().__init__(target)
        self.sent: list[bytes] = []

    def _up(self, client: socket.socket, server: socket.socket, mine: list[Order]) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                self.sent.append(data)
                server.sendall(data)
        super()._up(client, server, mine)


FLUSH = b"H\0\0\0\4"
QUESTION = b"postern.search_path"


class PipelineTest(ProtectedTest):
    """What goes over the wire to the server."""

    relay: ClassVar[Listening]

    @classmethod
    def toml(cls, ports: Ports) -> str:
        if not hasattr(cls, "relay"):
            cls.relay = Listening(cls.cluster.primary.port)
            cls.addClassCleanup(cls.relay.close)
        text = super().toml(ports)
        return text.replace(f"127.0.0.1:{cls.cluster.primary.port}", f"127.0.0.1:{cls.relay.port}")

    def sent(self, wire: Wire, *parts: bytes) -> list[bytes]:
        self.relay.sent.clear()
        got = wire.ask(*parts)
        self.assertEqual([m.fields() for m in got if m.type == "E"], [])
        return [data for data in self.relay.sent if b"detectors" in data or b"search_path" in data
                or FLUSH in data]  # fmt: skip

    def test_honest_pipelines_do_not_wait(self) -> None:
        write = parse("UPDATE detectors SET threshold = 0.5 WHERE detector_id = 1")
        read = parse("SELECT count(*) FROM detectors WHERE kind <> '\xc3\xa4\\'")
        with session(self.login(OWN)) as wire:
            wire.ask(query("SELECT 1"))
            batch = (write, bind(), execute(), read, bind(), execute()) * 4
            told = self.sent(wire, *batch, SYNC)
            self.assertEqual(len(told), 1, told)
            self.assertNotIn(FLUSH, told[0])
            self.assertNotIn(QUESTION, told[0])
            # The twin: with a SET in between it is waited for.
            path = parse("SET search_path = public")
            told = self.sent(wire, path, bind(), execute(), read, bind(), execute(), SYNC)
            self.assertIn(FLUSH, b"".join(told))
            self.assertIn(QUESTION, b"".join(told))

    def test_the_question_behind_code_goes_with_it(self) -> None:
        owner = self.direct().to(options=f"-c role={OWNER}")
        psql(owner, "CREATE FUNCTION public.moves(wanted text) RETURNS text LANGUAGE plpgsql AS"
             f" $$ {BODY} $$").checked()  # fmt: skip
        text = "SELECT moves('public'), count(*) FROM detectors"
        with session(self.login(OWN)) as wire:
            for _ in range(200):
                if all(m.type != "E" for m in wire.ask(query(text))):
                    break
                wire.ask(query("SELECT pg_sleep(0.1)"))
            for parts in ((query(text),), (parse(text), bind(), execute(), SYNC)):
                told = self.sent(wire, *parts)
                self.assertEqual(len(told), 1, told)
                self.assertIn(QUESTION, told[0])
            told = self.sent(wire, query("SELECT count(*) FROM detectors"))
            self.assertNotIn(QUESTION, b"".join(told))


if __name__ == "__main__":
    import unittest

    unittest.main()
