"""Replays one script of frontend bytes on a fresh session and writes down what came back."""

from __future__ import annotations

import random
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from psql_client import Dsn
from wire import SYNC, Message, Wire, message, query

MARKER = "conformance-end"
# Whatever state a script leaves, this leads out of it and shows where it ended.
TAIL = message("f", b"end\0") + SYNC + query("ROLLBACK") + query(f"SELECT '{MARKER}'")
PATIENCE_SECONDS = 20.0
FIRST_USER_OID = 16384
HEADER_BYTES = 5


@dataclass(frozen=True)
class Wait:
    """Send nothing more until `count` messages of this type have come, or the end."""

    type: str
    count: int = 1


@dataclass(frozen=True)
class Case:
    """A script. `closes`: the server is expected to end the session by itself."""

    name: str
    steps: tuple[bytes | Wait, ...]
    closes: bool = False

    def data(self) -> bytes:
        return b"".join(step for step in self.steps if isinstance(step, bytes))


Segmenter = Callable[[bytes], Iterator[tuple[bytes, float]]]


def whole(data: bytes) -> Iterator[tuple[bytes, float]]:
    yield data, 0.0


def single_bytes(data: bytes) -> Iterator[tuple[bytes, float]]:
    for at in range(len(data)):
        yield data[at : at + 1], 0.0003 if at % 16 == 0 else 0.0


def random_cuts(seed: int) -> Segmenter:
    """Pieces of 1 byte to 3 KB; every other cut goes through a header."""
    rng = random.Random(seed)

    def cut(data: bytes) -> Iterator[tuple[bytes, float]]:
        at, borders = 0, _borders(data)
        while at < len(data):
            if borders and rng.random() < 0.5:
                end = rng.choice(borders[:4]) + rng.randint(1, HEADER_BYTES - 1)
            else:
                end = at + rng.choice((1, 2, 7, 40, 300, 3000))
            end = min(max(end, at + 1), len(data))
            yield data[at:end], rng.choice((0.0, 0.0, 0.001))
            at = end
            borders = [border for border in borders if border >= at]

    return cut


def _borders(data: bytes) -> list[int]:
    """Where the messages of well-framed bytes begin."""
    found, at = [], 0
    while at + HEADER_BYTES <= len(data):
        found.append(at)
        at += 1 + max(struct.unpack_from("!I", data, at + 1)[0], 4)
    return found


@dataclass
class Transcript:
    """What a session answered, normalised; `ended`: the server closed it."""

    messages: list[Message] = field(default_factory=list)
    ended: bool = False
    stuck: bool = False

    def key(self) -> tuple[tuple[tuple[str, bytes], ...], bool, bool]:
        seen = tuple((got.type, got.body) for got in normalised(self.messages))
        return seen, self.ended, self.stuck


class Replay:
    """One session that is fed a case. Close it."""

    def __init__(self, dsn: Dsn) -> None:
        self.wire = Wire(dsn.port)
        self.greeting = self.wire.login(dsn)
        self.wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pid = self.wire.key[0]
        self._seen: dict[str, int] = {}
        self._buffer = bytearray()
        self.transcript = Transcript()

    def play(self, case: Case, cut: Segmenter) -> Transcript:
        """Sends all of it, reads on meanwhile, and ends behind the marker or at the close."""
        steps = case.steps if case.closes else (*case.steps, TAIL)
        for step in steps:
            if isinstance(step, Wait):
                self._read_until(lambda step=step: self._seen.get(step.type, 0) >= step.count)
            else:
                for piece, pause in cut(step):
                    self._send(piece)
                    if pause:
                        time.sleep(pause)
        self._read_until(self._at_marker)
        return self.transcript

    def _at_marker(self) -> bool:
        got = self.transcript.messages
        return len(got) > 2 and got[-1].type == "Z" and MARKER.encode() in got[-3].body

    def _send(self, piece: bytes) -> None:
        """Never blocks on a full socket while answers wait to be read."""
        view = memoryview(piece)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while view and not self.transcript.ended:
            readable, writable, _ = select.select(
                [self.wire.socket], [self.wire.socket], [], PATIENCE_SECONDS
            )
            if readable:
                self._receive()
            if writable and not self.transcript.ended:
                try:
                    view = view[self.wire.socket.send(view, socket.MSG_DONTWAIT) :]
                except BlockingIOError:
                    pass
                except ConnectionError:
                    self._drain()
            if time.monotonic() > deadline:
                self.transcript.stuck = True
                return

    def _drain(self) -> None:
        while not self.transcript.ended:
            self._receive()

    def _read_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.transcript.ended and not self.transcript.stuck and not done():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.wire.socket], [], [], left)[0]:
                self.transcript.stuck = True
                return
            self._receive()

    def _receive(self) -> None:
        try:
            got = self.wire.socket.recv(1 << 18)
        except ConnectionError:
            got = b""
        if not got:
            self.transcript.ended = True
            return
        self._buffer += got
        at = 0
        while len(self._buffer) - at >= HEADER_BYTES:
            (length,) = struct.unpack_from("!I", self._buffer, at + 1)
            if len(self._buffer) - at < length + 1:
                break
            kind = chr(self._buffer[at])
            body = bytes(self._buffer[at + HEADER_BYTES : at + 1 + length])
            self._take(Message(kind, body))
            at += length + 1
        del self._buffer[:at]

    def _take(self, got: Message) -> None:
        self._seen[got.type] = self._seen.get(got.type, 0) + 1
        if got.type == "A" and struct.unpack_from("!I", got.body)[0] == self.pid:
            got = Message("A", b"self" + got.body[4:])
        self.transcript.messages.append(got)

    def close(self) -> None:
        self.wire.close()


def normalised(messages: list[Message]) -> Iterator[Message]:
    """Objects of the user's bear numbers in the order in which they are seen."""
    numbers: dict[int, int] = {}

    def stable(oid: int) -> int:
        if oid < FIRST_USER_OID:
            return oid
        return numbers.setdefault(oid, FIRST_USER_OID + len(numbers))

    for got in messages:
        if got.type == "T":
            yield Message("T", _row_description(got.body, stable))
        elif got.type == "t":
            count = struct.unpack_from("!H", got.body)[0]
            oids = [stable(oid) for oid in struct.unpack_from(f"!{count}I", got.body, 2)]
            yield Message("t", struct.pack(f"!H{count}I", count, *oids))
        else:
            yield got


def _row_description(body: bytes, stable: Callable[[int], int]) -> bytes:
    made, at = bytearray(body[:2]), 2
    for _ in range(struct.unpack_from("!H", body)[0]):
        end = body.index(b"\0", at) + 1
        table, column, kind, size, modifier, form = struct.unpack_from("!IhIhih", body, end)
        made += body[at:end]
        made += struct.pack("!IhIhih", stable(table), column, stable(kind), size, modifier, form)
        at = end + 18
    return bytes(made)


def difference(direct: Transcript, proxied: Transcript) -> str:
    """The first place where two transcripts part; empty where they are equal."""
    left, right = list(normalised(direct.messages)), list(normalised(proxied.messages))
    for number, (one, two) in enumerate(zip(left, right)):
        if one != two:
            return f"message {number + 1}: {shown(one)} became {shown(two)}"
    if len(left) != len(right):
        longer, which = (left, "missing") if len(left) > len(right) else (right, "added")
        at = min(len(left), len(right))
        return f"message {at + 1} {which}: {shown(longer[at])}"
    if direct.stuck or proxied.stuck:
        return f"no answer any more (direct: {direct.stuck}, through Postern: {proxied.stuck})"
    if direct.ended != proxied.ended:
        return f"closed: direct {direct.ended}, through Postern {proxied.ended}"
    return ""


def shown(got: Message) -> str:
    body = got.body if len(got.body) <= 100 else got.body[:100] + b"..."
    return f"{got.type} {body!r}"
