"""Peers that are dead, deaf or strangers, outsiders at the peers' port, and floods."""

from __future__ import annotations

import secrets
import socket
import threading
import time

from peers_base import PeersBase
from wire import PROTOCOL_3_0, PROTOCOL_3_2, send_cancel
from scratch import wait_until

# Peers::kTimeout for the connection and as much for the answer, and what a busy machine adds.
LONGEST_SECONDS = 6.0
ORDER_BYTES = 306
HELLO_BYTES = 25


class PeersInTroubleTest(PeersBase):
    def test_dead_peer_costs_nothing(self) -> None:
        places = {1: self.some_place(), 2: self.some_place(), 3: self.some_place()}
        first, second = self.serve(1, places), self.serve(2, places)
        for version in (PROTOCOL_3_0, PROTOCOL_3_2):
            wire = self.wire(first, version)
            begun = time.monotonic()
            self.assertTrue(self.cancels(wire, second.ports.clients))
            self.assertLess(time.monotonic() - begun, LONGEST_SECONDS)
        self.assertIn("peer_failed", second.log.since())
        self.assertIn("peer=3", second.log.since())

    def test_deaf_peer_delays_nobody_else(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            places = {1: self.some_place(), 2: self.some_place()}
            places[3] = f"127.0.0.1:{deaf.getsockname()[1]}"
            first, second = self.serve(1, places), self.serve(2, places)
            wire = self.wire(first, PROTOCOL_3_0)
            self.start(wire, 5)
            begun = time.monotonic()
            send_cancel(second.ports.clients, wire.key[0], wire.secret)
            self.assertTrue(self.was_cancelled(wire))
            self.assertLess(time.monotonic() - begun, 1.9)  # the deaf one was not waited for
            begun = time.monotonic()
            send_cancel(second.ports.clients, 4711, b"1234")  # nobody's: all are waited for
            self.assertLess(time.monotonic() - begun, LONGEST_SECONDS)

    def test_wrong_secret_is_refused_and_logged(self) -> None:
        places = {1: self.some_place(), 2: self.some_place()}
        first = self.serve(1, places)
        stranger = self.serve(2, places, secret=secrets.token_hex(32))
        for version in (PROTOCOL_3_0, PROTOCOL_3_2):
            wire = self.wire(first, version)
            self.start(wire, 0.5)
            send_cancel(stranger.ports.clients, wire.key[0], wire.secret)
            self.assertFalse(self.was_cancelled(wire))
        wait_until(lambda: "PST-2461" in first.log.since(), "the refusal in the log")
        self.assertIn("PST-2462", stranger.log.since())
        for log in (first.log.since(), stranger.log.since()):
            self.assertNotIn(self.secret, log)

    def test_outsider_at_the_peers_port_learns_and_moves_nothing(self) -> None:
        places = {1: self.some_place(), 2: self.some_place()}
        first = self.serve(1, places)
        place = ("127.0.0.1", int(places[1].split(":")[1]))
        with socket.create_connection(place, timeout=5) as outsider:
            self.assertEqual(len(outsider.recv(100)), HELLO_BYTES)
            outsider.sendall(bytes(ORDER_BYTES))
            self.assertEqual(outsider.recv(100), b"")
        wait_until(lambda: "PST-2461" in first.log.since(), "the refusal in the log")
        with socket.create_connection(place, timeout=5) as silent:
            begun = time.monotonic()
            while silent.recv(100):
                pass
            self.assertLess(time.monotonic() - begun, LONGEST_SECONDS)
        self.assertNotIn("cancel_from_peer", first.log.since())

    def test_recorded_order_is_worth_nothing(self) -> None:
        places = {1: self.some_place(), 2: self.some_place()}
        first = self.serve(1, places)
        target = ("127.0.0.1", int(places[1].split(":")[1]))
        orders: list[bytes] = []
        with socket.create_server(("127.0.0.1", 0)) as middle:
            via = {**places, 1: f"127.0.0.1:{middle.getsockname()[1]}"}

            def relay() -> None:
                taken, _ = middle.accept()
                with taken, socket.create_connection(target, timeout=5) as onward:
                    taken.sendall(onward.recv(HELLO_BYTES, socket.MSG_WAITALL))
                    orders.append(taken.recv(ORDER_BYTES, socket.MSG_WAITALL))
                    onward.sendall(orders[0])
                    taken.sendall(onward.recv(100))

            thread = threading.Thread(target=relay)
            thread.start()
            second = self.serve(2, via)
            wire = self.wire(first, PROTOCOL_3_2)
            self.assertTrue(self.cancels(wire, second.ports.clients))
            thread.join()
        self.assertNotIn(wire.secret, orders[0])
        self.start(wire, 0.5)
        with socket.create_connection(target, timeout=5) as again:
            again.recv(HELLO_BYTES, socket.MSG_WAITALL)
            again.sendall(orders[0])
            self.assertEqual(again.recv(100), b"")
        self.assertFalse(self.was_cancelled(wire))

    def test_flood_of_wrong_keys_is_bounded(self) -> None:
        places = {1: self.some_place(), 2: self.some_place()}
        first, gate = self.serve(1, places), self.serve(2, places)
        begun = time.monotonic()

        def flood() -> None:
            for _ in range(60):
                send_cancel(gate.ports.clients, 4711, b"1234")

        threads = [threading.Thread(target=flood) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - begun
        asked = first.log.since().count("cancel_from_peer")
        # The bucket, what it forgave since, and what was under way when it was full.
        self.assertGreaterEqual(asked, 100)
        self.assertLess(asked, 100 + 10 * took + 32)
        self.assertIn("PST-2463", gate.log.since())
        wire = self.wire(first, PROTOCOL_3_0)
        time.sleep(1)  # ten are forgiven
        self.assertTrue(self.cancels(wire, gate.ports.clients))

    def test_secret_others_can_read_stops_the_start(self) -> None:
        places = {1: self.some_place(), 2: self.some_place()}
        for content, mode in ((self.secret, 0o644), ("short", 0o600), (self.secret + "00", 0o600)):
            instance = self.prepare(1)
            instance.write("peers.key", content, mode)
            instance.configure(lambda ports: self.toml(ports) + self.peers(1, places))
            done = instance.cli("serve", "-c", instance.config)
            self.assertEqual(done.returncode, 3)
            self.assertIn("PST-2460", done.stderr)
            self.assertNotIn(self.secret, done.stderr)
