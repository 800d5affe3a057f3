"""Servers whose host vanishes, and such as are merely busy."""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
import time

from fake_server import READY, FakeServer, FakeServerTest
from wire import Wire, message, query

SO_ATTACH_FILTER = 26
PATIENCE = 'unacknowledged_timeout = "2s"'


def drop_all_input(peer: socket.socket) -> None:
    """What arrives is dropped in front of TCP, unacknowledged: the host has vanished."""
    ret_0 = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(ret_0))
    peer.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


class Vanishing(FakeServer):
    """Its host vanishes when it is asked to."""

    def answer(self, peer: socket.socket, got: bytes) -> None:
        if b"vanish" not in got:
            super().answer(peer, got)
            return
        peer.sendall(message("C", b"LISTEN\0") + READY)
        time.sleep(0.3)  # that has to be acknowledged, or it would be sent again and again
        drop_all_input(peer)


class VanishedHosts(FakeServerTest):
    def test_a_session_ends_soon_after_the_host_of_its_server_vanished(self) -> None:
        dsn = self.serve(Vanishing(), PATIENCE)
        with Wire(dsn.port) as wire:
            wire.login(dsn)
            self.assertEqual([m.type for m in wire.ask(query("LISTEN vanish"))], ["C", "Z"])
            time.sleep(0.6)
            begun = time.monotonic()
            wire.send(query("SELECT 1"))
            told = wire.receive()
            taken = time.monotonic() - begun
            assert told is not None
            self.assertEqual(told.type, "E", told)
            self.assertGreater(taken, 1.4)
            self.assertLess(taken, 8)

    def test_a_server_that_is_busy_is_waited_for(self) -> None:
        fake = FakeServer()
        dsn = self.serve(fake, PATIENCE)
        with Wire(dsn.port) as wire:
            wire.login(dsn)
            wire.send(query("SELECT sleep"))
            threading.Timer(5, fake.cancelled.set).start()
            self.assertEqual([m.type for m in wire.until_ready()], ["E", "Z"])
