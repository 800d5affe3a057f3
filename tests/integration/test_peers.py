"""Several instances behind one address: a cancel request reaches the session's own."""

from __future__ import annotations

import secrets
import threading
import urllib.request
from typing import ClassVar

import psycopg

from peers_base import PeersBase
from postern_server import PosternServer
from psql_client import connect
from scratch import free_port, wait_until
from wire import PROTOCOL_3_0, PROTOCOL_3_2, Wire, query, send_cancel

INSTANCES = (1, 2, 3)
ROUNDS = 100
SESSIONS = 6


class PeersTest(PeersBase):
    """Three instances, each on a port of its own; the third is reached over a unix socket."""

    instances: ClassVar[dict[int, PosternServer]]

    @classmethod
    def boot(cls) -> None:
        super().boot()
        places = {1: cls.some_place(), 2: cls.some_place()}
        places[3] = f"@postern-{secrets.token_hex(6)}:7000"
        cls.instances = {own: cls.serve(own, places) for own in INSTANCES}

    def since(self, marks: dict[int, int], own: int) -> str:
        return self.instances[own].log.since()[marks[own] :]

    def marks(self) -> dict[int, int]:
        return {own: len(instance.log.since()) for own, instance in self.instances.items()}

    def test_any_instance_cancels_for_any_other(self) -> None:
        for version in (PROTOCOL_3_0, PROTOCOL_3_2):
            for home in INSTANCES:
                wire = self.wire(self.instances[home], version)
                self.assertEqual(len(wire.secret), 4 if version == PROTOCOL_3_0 else 32)
                for gate in INSTANCES:
                    with self.subTest(version=version, home=home, gate=gate):
                        self.assertTrue(self.cancels(wire, self.instances[gate].ports.clients))
                self.assertEqual(wire.ask(query("SELECT 1"))[-1].type, "Z")

    def passed_on(self, own: int) -> int:
        url = f"http://127.0.0.1:{self.instances[own].ports.admin}/metrics"
        with urllib.request.urlopen(url, timeout=5) as page:
            text = page.read().decode()
        name = "\npostern_peer_cancels_total "
        return int(text[text.index(name) + len(name) :].split()[0])

    def test_key_of_3_2_is_sent_to_its_issuer_alone(self) -> None:
        wire = self.wire(self.instances[1], PROTOCOL_3_2)
        marks = self.marks()
        before = self.passed_on(2)
        self.addCleanup(lambda: self.assertEqual(self.passed_on(2), before + 1))
        self.assertTrue(self.cancels(wire, self.instances[2].ports.clients))
        wait_until(lambda: "peer=1 asked=1" in self.since(marks, 2), "the log line")
        self.assertIn("cancel_from_peer", self.since(marks, 1))
        self.assertNotIn("cancel_from_peer", self.since(marks, 3))

    def test_process_id_is_that_of_the_server(self) -> None:
        wire = self.wire(self.instances[1], PROTOCOL_3_2)
        got = wire.ask(query("SELECT pg_backend_pid()"))
        self.assertEqual(got[1].values(), [str(wire.key[0]).encode()])

    def test_wrong_keys_cancel_nothing_and_hop_once_at_most(self) -> None:
        wire = self.wire(self.instances[1], PROTOCOL_3_2)
        self.start(wire, 1)
        key = wire.secret
        marks = self.marks()
        gate = self.instances[2].ports.clients
        for wrong in (key[:-1], bytes([key[0] ^ 1]) + key[1:], key[:-1] + bytes([key[-1] ^ 1])):
            send_cancel(gate, wire.key[0], wrong)
        send_cancel(gate, wire.key[0], b"1234")
        self.assertFalse(self.was_cancelled(wire))
        wait_until(lambda: self.since(marks, 2).count("cancel_request") == 4, "the log lines")
        # Only the last could be anybody's: both others were asked, and asked nobody.
        self.assertEqual(self.since(marks, 2).count("asked=2"), 1)
        for own in (1, 3):
            self.assertEqual(self.since(marks, own).count("cancel_from_peer"), 1)
            self.assertNotIn("cancel_request", self.since(marks, own))
        self.assertNotIn("cancel_from_peer", self.since(marks, 2))

    def test_cancel_hits_no_other_session_and_no_later_statement(self) -> None:
        first = self.wire(self.instances[1], PROTOCOL_3_0)
        second = self.wire(self.instances[1], PROTOCOL_3_0)
        self.start(second, 0.5)
        for _ in range(5):  # nothing of its own is running
            send_cancel(self.instances[2].ports.clients, first.key[0], first.secret)
        self.assertFalse(self.was_cancelled(second))
        first.send(query("SELECT pg_sleep(0.2)"))
        self.assertFalse(self.was_cancelled(first))


class OnePortTest(PeersBase):
    """Three instances on one port: the kernel chooses who gets a cancel request."""

    instances: ClassVar[list[PosternServer]]

    @classmethod
    def boot(cls) -> None:
        super().boot()
        port = free_port()
        places = {own: cls.some_place() for own in INSTANCES}
        cls.instances = [cls.serve_on_one_port(port, own, places) for own in INSTANCES]

    def passed_on(self) -> int:
        return sum(one.log.since().count("cancel_from_peer") for one in self.instances)

    def psycopg_round(self, connection: psycopg.Connection[tuple]) -> bool:
        states: list[str | None] = []

        def sleep() -> None:
            try:
                connection.execute("SELECT pg_sleep(5)")
            except psycopg.Error as error:
                states.append(error.sqlstate)

        thread = threading.Thread(target=sleep)
        thread.start()
        self.wait_for_statement(connection.info.backend_pid)
        connection.cancel()
        thread.join()
        return states == ["57014"]

    def test_psycopg_always_cancels(self) -> None:
        kept = [connect(self.dsn(self.instances[0])) for _ in range(SESSIONS)]
        for connection in kept:
            self.addCleanup(connection.close)
        before = self.passed_on()
        reached = sum(self.psycopg_round(kept[i % SESSIONS]) for i in range(ROUNDS))
        self.assertEqual(reached, ROUNDS)
        self.assertGreater(self.passed_on(), before)

    def test_protocol_3_2_always_cancels(self) -> None:
        kept: list[Wire] = [self.wire(self.instances[0], PROTOCOL_3_2) for _ in range(SESSIONS)]
        before = self.passed_on()
        port = self.instances[0].ports.clients
        reached = sum(self.cancels(kept[i % SESSIONS], port) for i in range(ROUNDS))
        self.assertEqual(reached, ROUNDS)
        self.assertGreater(self.passed_on(), before)
