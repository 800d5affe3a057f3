"""A server that does what no real one can be made to do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from base import ClusterTest
from psql_client import Dsn
from wire import CANCEL_REQUEST as CANCEL
from wire import Wire, message

BACKEND = ("5", "77", "1000")  # database, process, its start
SESSION = ("public", "")  # search_path, what its role bypasses
READY = message("Z", b"I")


def result(*values: str) -> bytes:
    """One row and its end."""
    row = struct.pack("!h", len(values)) + b"".join(
        struct.pack("!i", len(v)) + v.encode() for v in values
    )
    return message("D", row) + message("C", b"SELECT 1\0")


class FakeServer(threading.Thread):
    """A PostgreSQL just real enough to be logged in to and to run until it is cancelled."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.key = bytes(range(256))
        self.version = 0
        self.questions = 0  # messages by which Postern learnt about backends
        self.cancelled = threading.Event()
        self.cancel_key = b""

    def run(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer: socket.socket) -> None:
        head = peer.recv(10_000)
        (code,) = struct.unpack_from("!i", head, 4)
        if code == CANCEL:
            self.cancel_key = head[12:]
            self.cancelled.set()
            self.end_cancel()
            peer.close()
            return
        self.version = code
        peer.sendall(
            message("R", struct.pack("!i", 0))
            + b"".join(
                message("S", f"{name}\0{value}\0".encode())
                for name, value in (("server_version", "18.0"), ("in_hot_standby", "off"))
            )
            + message("K", struct.pack("!i", 77) + self.key)
            + READY
        )
        with contextlib.suppress(ConnectionError):
            while got := peer.recv(10_000):
                self.answer(peer, got)

    def end_cancel(self) -> None:
        """Before the connection of a cancel request is closed."""

    def answer(self, peer: socket.socket, got: bytes) -> None:
        if b"backend_start" in got:
            self.questions += 1
            peer.sendall(result(*BACKEND) + (result(*SESSION) if b"search_path" in got else b""))
            peer.sendall(READY)
        elif b"search_path" in got:
            self.questions += 1
            peer.sendall(result(*SESSION) + READY)
        elif b"sleep" in got:
            self.cancelled.wait(10)
            peer.sendall(message("E", b"SERROR\0VERROR\0C57014\0Mcancelled\0\0") + READY)
        elif b"DISCARD" in got:
            peer.sendall(message("C", b"DISCARD ALL\0") + READY)
        else:
            peer.sendall(message("C", b"LISTEN\0") + READY)


class FakeServerTest(ClusterTest):
    """Postern in front of such a server, which each test makes for itself."""

    @classmethod
    def boot(cls) -> None:
        pass

    def serve(self, fake: FakeServer, cluster: str = "") -> Dsn:
        fake.start()
        self.addCleanup(fake.listener.close)
        postern = self.cluster.add_postern(name=self.id().rsplit(".", 1)[-1][:40])
        postern.start(lambda ports: f"""\
[listen]
port = {ports.clients}
[cluster.fake]
nodes = ["127.0.0.1:{fake.port}"]
protocol = "3.2"
{cluster}
[database."*"]
cluster = "fake"
[auth]
method = "trust"
""")
        return postern.login("app", "", "shop", "fake")

    def cancel(self, port: int, wire: Wire) -> None:
        key = struct.pack("!i", wire.key[0]) + wire.secret
        with socket.create_connection(("127.0.0.1", port)) as other:
            other.sendall(struct.pack("!ii", len(key) + 8, CANCEL) + key)
            self.assertEqual(other.recv(10), b"")
