"""Values of up to 1 GB: streamed from a generator into a hash, held whole by nobody."""

from __future__ import annotations

import struct
import threading
import time
import zlib
from collections.abc import Iterator

from bed import Bed
from psql_client import Dsn
from report import Report
from wire import SYNC, Wire, describe, execute, message, parse, query, text

MEGABYTE = 1 << 20
FULL_BYTES, SHORT_BYTES = 1_073_741_000 - 64 * 1024, 48 * MEGABYTE
RESIDENT_LIMIT = 64 * MEGABYTE
CHUNK = b"0123456789abcdef" * 4096
CALM_SECONDS = 300.0


class Watch:
    """The largest resident memory of Postern while something runs."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._end = threading.Event()
        self.peak = 0
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._end.wait(0.02):
            self.peak = max(self.peak, self._bed.resident_bytes())

    def __enter__(self) -> Watch:
        self.peak = self._bed.resident_bytes()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def filler(size: int) -> Iterator[bytes]:
    for _ in range(size // len(CHUNK)):
        yield CHUNK
    yield CHUNK[: size % len(CHUNK)]


def _value_down(wire: Wire, size: int) -> None:
    wire.send(query(f"SELECT repeat('0123456789abcdef', {size // 16})"))


def _copy_down(wire: Wire, size: int) -> None:
    wire.send(query(f"COPY (SELECT repeat('0123456789abcdef', {size // 16})) TO STDOUT"))


def _value_up(wire: Wire, size: int) -> None:
    wire.send(parse("SELECT length($1), hashtext($1)", oids=(25,)))
    head = text("") + text("") + struct.pack("!hhi", 0, 1, size)
    wire.send(b"B" + struct.pack("!i", 4 + len(head) + size + 2) + head)
    for piece in filler(size):
        wire.socket.sendall(piece)
    wire.send(struct.pack("!h", 0), describe("P"), execute(), SYNC)


def _query_up(wire: Wire, size: int) -> None:
    before, after = b"SELECT length('", b"')\0"
    wire.send(b"Q" + struct.pack("!i", 4 + len(before) + size + len(after)) + before)
    for piece in filler(size):
        wire.socket.sendall(piece)
    wire.send(after)


def _copy_up(wire: Wire, size: int) -> None:
    wire.send(query("COPY copied FROM STDIN"))
    wire.send(b"d" + struct.pack("!i", 4 + 2 + size + 1) + b"1\t")
    for piece in filler(size):
        wire.socket.sendall(piece)
    wire.send(b"\n", message("c"), query("SELECT id, length(name), hashtext(name) FROM copied"),
              query("TRUNCATE copied"))  # fmt: skip


WAYS = {
    "value to the client": (_value_down, 1),
    "COPY to the client": (_copy_down, 1),
    "parameter to the server": (_value_up, 1),
    "text of a query to the server": (_query_up, 1),
    "COPY to the server": (_copy_up, 3),
}


def _digest(wire: Wire, readies: int) -> list[tuple[str, int, int]]:
    """Type, length and checksum of every message up to the last ReadyForQuery."""
    found, pending = [], b""
    wire.socket.settimeout(CALM_SECONDS)

    def more() -> bytes:
        got = wire.socket.recv(MEGABYTE)
        if not got:
            raise ConnectionError
        return got

    try:
        while readies:
            while len(pending) < 5:
                pending += more()
            kind, (length,) = chr(pending[0]), struct.unpack("!i", pending[1:5])
            left, checksum, pending = length - 4, 0, pending[5:]
            while left:
                pending = pending or more()
                piece, pending = pending[:left], pending[left:]
                checksum = zlib.crc32(piece, checksum)
                left -= len(piece)
            found.append((kind, length, checksum))
            readies -= kind == "Z"
    except ConnectionError:
        found.append(("closed", 0, 0))
    return found


def _one(dsn: Dsn, way: str, size: int) -> list[tuple[str, int, int]]:
    send, readies = WAYS[way]
    with Wire(dsn.port) as wire:
        wire.login(dsn)
        wire.ask(query("TRUNCATE copied"))
        wire.socket.settimeout(CALM_SECONDS)
        try:
            send(wire, size)
        except ConnectionError:
            pass  # what the other side said before it closed is the answer
        return _digest(wire, readies)


def big_values(report: Report, bed: Bed, through: Dsn, direct: Dsn, short: bool) -> None:
    size = SHORT_BYTES if short else FULL_BYTES
    for way in WAYS:
        began = time.monotonic()
        expected = _one(direct, way, size)
        with Watch(bed) as watch:
            got = _one(through, way, size)
        shape = "".join(kind if len(kind) == 1 else "-" for kind, *_ in got)
        told = "" if got == expected else f"answer {shape} is not the server's"
        report.compared("bytes", f"{size // MEGABYTE} MB: {way}", told)
        good = watch.peak <= RESIDENT_LIMIT
        report.row("bytes", f"memory: {way}", good,
                   f"{watch.peak / MEGABYTE:.0f} MB resident at most of"
                   f" {RESIDENT_LIMIT // MEGABYTE}, {time.monotonic() - began:.0f} s")  # fmt: skip
