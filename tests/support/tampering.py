"""A relay in front of a server that tampers with its answer to one group of messages."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

#: What a fault does with one message of the server: the bytes that go on instead, None closes.
Fault = Callable[[bytes], "bytes | None"]


def error(_: bytes) -> bytes:
    """An ErrorResponse in place of the message."""
    body = b"SERROR\0VERROR\0C42501\0Mpermission denied\0\0"
    return b"E" + struct.pack("!i", len(body) + 4) + body


def disconnect(_: bytes) -> None:
    """The connection ends in front of the message."""


def truncate(message: bytes) -> bytes:
    """The message without its last byte; what follows is misread."""
    return message[:-1]


def repeat(message: bytes) -> bytes:
    """The message twice."""
    return message * 2


def leave_out(_: bytes) -> bytes:
    return b""


def change(message: bytes) -> bytes:
    """Another last byte of the body; a message without body gets one."""
    if len(message) == 5:
        return message[:1] + struct.pack("!i", 5) + b"x"
    return message[:-1] + bytes([message[-1] ^ 1])


def slow(message: bytes) -> bytes:
    time.sleep(0.5)
    return message


@dataclass
class Order:
    """Tamper with message `step` (from 0) of the answer to what first holds `trigger`."""

    trigger: bytes
    step: int
    fault: Fault
    armed: bool = False
    seen: int = 0
    done: threading.Event = field(default_factory=threading.Event)


class TamperingRelay:
    """Listens on a free port of this machine and relays to the server's."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.order: Order | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                mine: list[Order] = []  # the order this connection has been given
                for run, parts in ((self._up, (client, server, mine)),
                                   (self._down, (server, client, mine))):  # fmt: skip
                    threading.Thread(target=run, args=parts, daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, mine: list[Order]) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                order = self.order
                if order is not None and not order.armed and order.trigger in data:
                    order.armed = True
                    mine.append(order)
                server.sendall(data)
        _end(client, server)

    def _down(self, server: socket.socket, client: socket.socket, mine: list[Order]) -> None:
        pending = b""
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                pending += data
                while (size := _whole(pending)) and size <= len(pending):
                    message, pending = pending[:size], pending[size:]
                    passed = _tamper(mine, message)
                    if passed is None:
                        return _end(client, server)
                    client.sendall(passed)
        _end(client, server)


def _whole(pending: bytes) -> int:
    """The length of the first message; 0: not known yet. The answer to SSLRequest is one byte."""
    if pending == b"N":
        return 1
    return 0 if len(pending) < 5 else 1 + struct.unpack_from("!i", pending, 1)[0]


def _tamper(mine: list[Order], message: bytes) -> bytes | None:
    if not mine or mine[0].done.is_set():
        return message
    order = mine[0]
    at, order.seen = order.seen, order.seen + 1
    if at != order.step:
        return message
    order.done.set()
    return order.fault(message)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
            each.close()
