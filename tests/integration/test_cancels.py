"""Cancel requests: of what waits, many at a time, and on their way to the server."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from pathlib import Path
from typing import ClassVar

import psycopg

from fake_server import READY, FakeServer, FakeServerTest
from postern_server import Ports
from relay_base import APP, DATABASE, RelayTest
from scratch import wait_until
from wire import (
    CANCEL_REQUEST, FLUSH, SYNC, Wire, bind, execute, message, parse, query, send_cancel, session,
    shape,
)  # fmt: skip

SSL_CODE = 80877103


class Forwarder:
    """Stands in front of a server; knows cancel requests, and holds them up for a while."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.delay = 0.0
        self.firsts: list[int] = []  # the code each connection began with
        self.now, self.most = 0, 0  # cancel requests under way
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            first = client.recv(4096)
            if len(first) < 8:
                return
            code = struct.unpack_from("!I", first, 4)[0]
            cancel = code == CANCEL_REQUEST
            with self._lock:
                self.firsts.append(code)
                self.now += cancel
                self.most = max(self.most, self.now)
            if cancel:
                time.sleep(self.delay)
            with socket.create_connection(("127.0.0.1", self._server_port)) as server:
                server.sendall(first)
                up = threading.Thread(target=self._copy, args=(client, server), daemon=True)
                up.start()
                self._copy(server, client, cancel)
                up.join(5)

    def _copy(self, source: socket.socket, target: socket.socket, cancel: bool = False) -> None:
        """`cancel`: its end is counted before the target can hear of it and begin the next."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with self._lock:
            self.now -= cancel
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


class CancelsTest(RelayTest):
    """"shared" has one server connection; "far" and "tls" lie behind something that looks on."""

    forwarder: ClassVar[Forwarder]

    @classmethod
    def server_settings(cls) -> dict[str, str]:
        cls.tls = cls.cluster.scratch.folder("server-tls")
        made = cls.cluster.scratch.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-keyout", cls.tls / "server.key", "-out", cls.tls / "server.crt"]
        )  # fmt: skip
        made.check_returncode()
        return {"ssl": "on", "ssl_cert_file": str(Path(cls.tls) / "server.crt"),
                "ssl_key_file": str(Path(cls.tls) / "server.key")}  # fmt: skip

    @classmethod
    def toml(cls, ports: Ports) -> str:
        cls.forwarder = Forwarder(cls.cluster.primary.port)
        cls.addClassCleanup(cls.forwarder.close)
        node = f'nodes = ["127.0.0.1:{cls.forwarder.port}"]\n'
        login = f'upstream = "{DATABASE}"\nuser = "{APP}"\npassword_file = "app.password"\n'
        text = super().toml(ports).replace('pool_timeout = "1500ms"', 'pool_timeout = "20s"')
        return text + (
            f'[cluster.far]\n{node}[cluster.far.tls]\nmode = "disable"\n'
            f'[cluster.tls]\n{node}[cluster.tls.tls]\nmode = "prefer"\n'
            f'[database.far]\ncluster = "far"\n{login}'
            f'[database.tls]\ncluster = "tls"\n{login}'
            f'[database.shared]\ncluster = "main"\n{login}'
            'pool_mode = "transaction"\npool_size = 1\n'
        )

    def cancel(self, wire: Wire) -> None:
        send_cancel(self.postern.ports.clients, wire.key[0], wire.secret)

    def waiting(self, *messages: bytes) -> Wire:
        """A session that waits for the one server connection."""
        holder = self.connect(self.client(dbname="shared"))
        holder.execute("BEGIN")
        self.holder: psycopg.Connection[tuple] = holder
        wire = session(self.client(dbname="shared"))
        self.addCleanup(wire.close)
        wire.send(*messages)
        time.sleep(0.5)
        return wire

    def test_what_waits_for_a_server_connection_is_cancelled(self) -> None:
        for messages in (
            (query("SELECT 1"),),
            (parse("SELECT 1"), bind(), execute(), SYNC),
            (parse("SELECT 1", "mine"), SYNC),
            (query("BEGIN"),),
        ):
            with self.subTest(messages=messages):
                wire = self.waiting(*messages)
                started = time.monotonic()
                self.cancel(wire)
                got = wire.until_ready()
                self.assertLess(time.monotonic() - started, 5)
                self.assertEqual((shape(got), got[0].sqlstate(), got[-1].body),
                                 ("EZ", "57014", b"I"))  # fmt: skip
                self.assertIn("user request", got[0].fields()["M"])
                # The session goes on; an old request does not meet what comes later.
                self.holder.execute("COMMIT")
                self.assertEqual(shape(wire.ask(query("SELECT 2"))), "TDCZ")
                wire.close()
                self.holder.close()

    def test_what_comes_behind_is_not_cancelled(self) -> None:
        wire = self.waiting(query("SELECT 1"), query("SELECT 2"))
        self.cancel(wire)
        self.assertEqual(shape(wire.until_ready()), "EZ")
        self.holder.execute("COMMIT")
        self.assertEqual(shape(wire.until_ready()), "TDCZ")

    def test_many_requests_are_one_connection_at_a_time(self) -> None:
        self.forwarder.firsts.clear()  # other tests' requests
        self.forwarder.most = 0
        with session(self.client(dbname="far")) as wire:
            self.forwarder.delay = 0.5
            wire.send(query("SELECT pg_sleep(30)"))
            self.wait_for_active(1)
            began = time.monotonic()
            for _ in range(30):
                self.cancel(wire)
            rounds = int((time.monotonic() - began) / self.forwarder.delay)
            got = wire.until_ready()
            self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["57014"])
            self.assertEqual(shape(wire.ask(query("SELECT 1"))), "TDCZ")
        self.forwarder.delay = 0.0
        self.assertEqual(self.forwarder.most, 1)
        # The first, what came during it, and what another worker heard of later.
        self.assertLessEqual(self.forwarder.firsts.count(CANCEL_REQUEST), 3 + rounds)

    def test_a_request_during_another_counts_for_what_runs_then(self) -> None:
        """Statements sent together: the second request comes while the first is on its way."""
        with session(self.client(dbname="far")) as wire:
            self.forwarder.delay = 0.5
            wire.send(query("SELECT pg_sleep(30)"), query("SELECT pg_sleep(31)"))
            self.wait_for_active(1)
            self.cancel(wire)
            time.sleep(0.1)
            self.cancel(wire)
            for _ in range(2):
                got = wire.until_ready()
                self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["57014"])
        self.forwarder.delay = 0.0

    def test_the_request_is_encrypted_where_the_connection_is(self) -> None:
        with session(self.client(dbname="tls")) as wire:
            before = len(self.forwarder.firsts)
            self.assertIn(SSL_CODE, self.forwarder.firsts)
            wire.send(query("SELECT pg_sleep(30)"))
            self.wait_for_active(1)
            self.cancel(wire)
            got = wire.until_ready()
            self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["57014"])
            wait_until(lambda: len(self.forwarder.firsts) > before, "the request")
            self.assertEqual(self.forwarder.firsts[before:], [SSL_CODE])


if __name__ == "__main__":
    import unittest

    unittest.main()


class SlowToCancel(FakeServer):
    """Answers a batch once a cancel request came, whose connection it closes when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = threading.Event()

    def end_cancel(self) -> None:
        self.may_end.wait(10)

    def answer(self, peer: socket.socket, got: bytes) -> None:
        if got.startswith(b"P"):
            self.cancelled.wait(10)
            peer.sendall(message("1") + message("2") + message("C", b"SELECT 0\0"))
        elif got.startswith(b"S"):
            peer.sendall(READY)
        else:
            super().answer(peer, got)


class SlowCancels(FakeServerTest):
    def test_a_sync_is_not_cancelled_by_a_request_that_comes_while_it_waits(self) -> None:
        fake = SlowToCancel()
        dsn = self.serve(fake)
        with Wire(dsn.port) as wire:
            wire.login(dsn)
            wire.send(parse("SELECT 1"), bind(), execute(), FLUSH)
            time.sleep(0.3)
            self.cancel(dsn.port, wire)
            answers = [wire.receive() for _ in range(3)]
            self.assertEqual([m.type for m in answers if m], ["1", "2", "C"])
            wire.send(SYNC)
            time.sleep(0.3)
            self.cancel(dsn.port, wire)
            time.sleep(0.3)
            fake.may_end.set()
            self.assertEqual([m.type for m in wire.until_ready()], ["Z"])
