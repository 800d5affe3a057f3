"""Sessions that keep every byte they hear, and what came as the answer to one step."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from psql_client import Dsn
from wire import SYNC, Message, Wire, bind, describe, execute, message, parse, query

STEP_SECONDS = 20.0


class _Tap:
    """A socket whose received bytes are kept as well."""

    def __init__(self, inner: socket.socket, heard: bytearray) -> None:
        self._inner = inner
        self._heard = heard

    def recv(self, count: int) -> bytes:
        got = self._inner.recv(count)
        self._heard += got
        return got

    def sendall(self, data: bytes) -> None:
        self._inner.sendall(data)

    def close(self) -> None:
        self._inner.close()

    def settimeout(self, seconds: float) -> None:
        self._inner.settimeout(seconds)


class Ear(Wire):
    """A raw session; `heard` is all it ever received."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.heard = bytearray()
        self.socket.settimeout(STEP_SECONDS)
        self.socket = _Tap(self.socket, self.heard)  # type: ignore[assignment]


@dataclass
class Answer:
    """All messages that answer one step."""

    messages: list[Message] = field(default_factory=list)
    closed: bool = False

    def errors(self) -> list[str]:
        return [m.sqlstate() for m in self.messages if m.type == "E"]

    def codes(self) -> list[str]:
        """Postern's own codes among the errors."""
        found = []
        for got in self.messages:
            if got.type == "E":
                detail = got.fields().get("D", "")
                found += [word.strip(".,:;") for word in detail.split() if word[:4] == "PST-"][:1]
        return found

    def rows(self) -> list[tuple[str | None, ...]]:
        """Data rows as text; the lines of a COPY as rows of one column."""
        found: list[tuple[str | None, ...]] = []
        for got in self.messages:
            if got.type == "D":
                found.append(tuple(None if v is None else v.decode("utf-8", "replace")
                                   for v in got.values()))  # fmt: skip
            elif got.type == "d":
                found.append((got.body.decode("utf-8", "replace"),))
        return found

    def tags(self) -> list[str]:
        return [m.tag() for m in self.messages if m.type == "C"]

    def touched(self) -> int:
        """Rows that were returned, or written according to the tags."""
        written = 0
        for tag in self.tags():
            word, _, count = tag.rpartition(" ")
            if word.split(" ")[0] in ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY"):
                written += int(count)
        return len(self.rows()) or written

    def told(self) -> str:
        """The errors, for a report: code, message, detail."""
        parts = [f"{f.get('C')} {f.get('M')} {f.get('D', '')}".strip()
                 for f in (m.fields() for m in self.messages if m.type == "E")]  # fmt: skip
        if self.closed:
            parts.append("connection closed")
        return "; ".join(parts) or f"{len(self.rows())} rows, tags {self.tags()}"


def open_session(dsn: Dsn, more: Mapping[str, str] | None = None) -> tuple[Ear, Answer]:
    """A session after its login, and what the login was answered with."""
    ear = Ear(dsn.port)
    got = ear.login(dsn, more)
    return ear, Answer(got, closed=not got or got[-1].type != "Z")


def hear(ear: Ear, copy: bytes = b"") -> Answer:
    """Everything up to ReadyForQuery or the end; a granted COPY IN gets `copy` and its end."""
    found: list[Message] = []
    try:
        while (got := ear.receive()) is not None:
            found.append(got)
            if got.type == "G":
                ear.send(message("d", copy) if copy else b"", message("c"))
            if got.type == "Z":
                return Answer(found)
    except (TimeoutError, OSError):
        found.append(Message("E", b"SERROR\0CXXTMO\0Mno answer in time\0\0"))
    return Answer(found, closed=True)


def ask(ear: Ear, *parts: bytes, copy: bytes = b"") -> Answer:
    try:
        ear.send(*parts)
    except OSError:
        return Answer([], closed=True)
    return hear(ear, copy)


def ask_sql(ear: Ear, sql: str, copy: bytes = b"") -> Answer:
    return ask(ear, query(sql), copy=copy)


def ask_bound(ear: Ear, sql: str, values: tuple[str | None, ...]) -> Answer:
    """By the extended protocol, all in text."""
    given = [None if value is None else value.encode() for value in values]
    return ask(ear, parse(sql), bind(*given), describe("P"), execute(), SYNC)


def call_function(oid: int, *arguments: bytes) -> bytes:
    """A fast-path FunctionCall, all in text."""
    body = struct.pack("!ihh", oid, 0, len(arguments))
    for value in arguments:
        body += struct.pack("!i", len(value)) + value
    return message("F", body + struct.pack("!h", 0))
