"""Startup: negotiation, `options`, and cancel keys of any length on both legs."""

from __future__ import annotations

import socket
import struct
import time

from auth_base import AuthTest
from fake_server import CANCEL, FakeServer, FakeServerTest
from postern_server import PosternServer
from psql_client import Dsn, scalar
from wire import Message, Wire, query, startup

PROTOCOL_3_2 = 3 << 16 | 2
GREASE = 3 << 16 | 9999


class StartupTest(AuthTest):
    postern: PosternServer

    @classmethod
    def boot(cls) -> None:
        super().boot()
        users = f"[user.app]\npassword = '{cls.passwords['app']}'\n"
        cls.postern = cls.start_postern("postern", "", users, cluster='protocol = "3.2"')

    def hello(self, version: int, more: dict[str, str] | None = None) -> list[Message]:
        """What is said before authentication."""
        with Wire(self.postern.ports.clients) as wire:
            wire.send(startup({"user": "app", "database": "shop", **(more or {})}, version))
            found = []
            while (got := wire.receive()) is not None:
                found.append(got)
                if got.type in "RE":
                    break
            return found

    def test_negotiation_happens_once_with_cause(self) -> None:
        for version in (3 << 16, PROTOCOL_3_2):
            self.assertEqual([m.type for m in self.hello(version)], ["R"])
        for version, more, told in (
            (GREASE, {"_pq_.test_protocol_negotiation": ""}, ["_pq_.test_protocol_negotiation"]),
            (GREASE, {}, []),
            (PROTOCOL_3_2, {"_pq_.a": "1", "_pq_.b": "2"}, ["_pq_.a", "_pq_.b"]),
            (3 << 16, {"_pq_.a": ""}, ["_pq_.a"]),
        ):
            with self.subTest(version=version, more=more):
                got = self.hello(version, more)
                self.assertEqual([m.type for m in got], ["v", "R"])
                newest, count = struct.unpack_from("!ii", got[0].body)
                spoken = 3 << 16 if version == 3 << 16 else PROTOCOL_3_2
                self.assertEqual((newest, count), (spoken, len(told)))
                names = [name.decode() for name in got[0].body[8:].split(b"\0")[:-1]]
                self.assertEqual(names, told)
        self.assertEqual([m.type for m in self.hello(2 << 16)], ["E"])

    def log_in(self, port: int, dsn: Dsn, version: int) -> tuple[Wire, bytes]:
        """A session and its cancel key, whatever its length."""
        wire = Wire(port)
        self.addCleanup(wire.close)
        wire.send(startup({"user": dsn.user, "database": dsn.dbname}, version))
        first = wire.receive()
        assert first is not None
        if first.body != struct.pack("!i", 0):
            self.assertIsNone(wire._scram(dsn.password))
        for got in wire.until_ready():
            if got.type == "K":
                return wire, got.body
        self.fail("no cancel key")

    def cancel(self, port: int, key: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port)) as other:
            other.sendall(struct.pack("!ii", len(key) + 8, CANCEL) + key)
            self.assertEqual(other.recv(10), b"")

    def test_cancel_keys_of_both_lengths(self) -> None:
        for version, length in ((3 << 16, 4), (PROTOCOL_3_2, 32)):
            with self.subTest(version=version):
                dsn = self.dsn(self.postern, "app")
                wire, key = self.log_in(dsn.port, dsn, version)
                self.assertEqual(len(key) - 4, length)
                wire.send(query("SELECT pg_sleep(30)"))
                time.sleep(0.3)
                self.cancel(dsn.port, key[:-1] + bytes([key[-1] ^ 1]))
                self.cancel(dsn.port, key)
                refused = next(m for m in wire.until_ready() if m.type == "E")
                self.assertEqual(refused.sqlstate(), "57014")

    def test_options_mean_what_they_mean_to_the_server(self) -> None:
        direct = self.cluster.primary.superuser.to(
            user="app", password=self.passwords["app"], dbname="shop"
        )
        through = self.dsn(self.postern, "app")
        shown = (
            "SELECT concat_ws('|', current_setting('search_path'), current_setting('work_mem'),"
            " current_setting('statement_timeout'), current_setting('enable_seqscan'),"
            " current_setting('my.own', true))"
        )
        for options in (
            "-c search_path=a,\\ b -c work_mem=9MB",
            "--search-path=x --statement-timeout=77",
            "-cwork_mem=8MB -c my.own=a\\\\b",
            "-S 2048 -fs",
            "-c work_mem=7MB -c work_mem=6MB",
        ):
            with self.subTest(options=options):
                answers = [scalar(dsn.to(options=options), shown) for dsn in (direct, through)]
                self.assertEqual(*answers)
        for options in ("-c nonsense", "stray", "-c no_such_setting=1", "-Z"):
            with self.subTest(options=options):
                told = [self.refusal(d, options=options) for d in (direct, through)]
                self.assertIn(told[0].split("FATAL:")[-1].strip().splitlines()[0], told[1])


class FakeServers(FakeServerTest):
    def test_a_long_key_of_the_server_is_presented_whole(self) -> None:
        fake = FakeServer()
        dsn = self.serve(fake)
        with Wire(dsn.port) as wire:
            wire.login(dsn, version=PROTOCOL_3_2)
            wire.send(query("SELECT sleep"))
            time.sleep(0.3)
            self.cancel(dsn.port, wire)
            self.assertTrue(fake.cancelled.wait(5))
            self.assertEqual(fake.cancel_key, fake.key)

    def test_what_is_asked_of_a_new_backend_costs_one_round_trip(self) -> None:
        fake = FakeServer()
        dsn = self.serve(fake)
        with Wire(dsn.port) as wire:
            wire.login(dsn)
            self.assertEqual([m.type for m in wire.ask(query("LISTEN x"))], ["C", "Z"])
        self.assertEqual(fake.questions, 1)
