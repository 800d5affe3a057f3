"""A client that speaks PostgreSQL's protocol byte by byte, to send what no library would."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from psql_client import Dsn
from scratch import HarnessError

PROTOCOL_3_0 = 196608
PROTOCOL_3_2 = 196610
CANCEL_REQUEST = 80877102
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Message:
    """One message of the server: its type letter and its body."""

    type: str
    body: bytes

    def fields(self) -> dict[str, str]:
        """The fields of an ErrorResponse or NoticeResponse, by their letter."""
        parts = self.body.split(b"\0")
        return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in parts if part}

    def sqlstate(self) -> str:
        return self.fields().get("C", "?????") if self.type == "E" else ""

    def tag(self) -> str:
        """The command tag of a CommandComplete."""
        return self.body.rstrip(b"\0").decode()

    def values(self) -> list[bytes | None]:
        """The columns of a DataRow."""
        found: list[bytes | None] = []
        at = 2
        for _ in range(struct.unpack_from("!h", self.body)[0]):
            (length,) = struct.unpack_from("!i", self.body, at)
            at += 4
            found.append(None if length < 0 else self.body[at : at + length])
            at += max(length, 0)
        return found


def message(kind: str, body: bytes = b"") -> bytes:
    """A well-formed frontend message."""
    return kind.encode() + struct.pack("!i", len(body) + 4) + body


def text(value: str) -> bytes:
    """A zero-terminated string."""
    return value.encode() + b"\0"


def query(sql: str) -> bytes:
    return message("Q", text(sql))


def parse(sql: str, name: str = "", oids: tuple[int, ...] = ()) -> bytes:
    types = struct.pack(f"!h{len(oids)}I", len(oids), *oids)
    return message("P", text(name) + text(sql) + types)


def bind(*values: bytes | None, portal: str = "", statement: str = "") -> bytes:
    """All parameters and results in text form."""
    body = text(portal) + text(statement) + struct.pack("!hh", 0, len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value
    return message("B", body + struct.pack("!h", 0))


def describe(kind: str, name: str = "") -> bytes:
    return message("D", kind.encode() + text(name))


def execute(portal: str = "", max_rows: int = 0) -> bytes:
    return message("E", text(portal) + struct.pack("!i", max_rows))


SYNC = message("S")
FLUSH = message("H")


def startup(parameters: Mapping[str, str], version: int = PROTOCOL_3_0) -> bytes:
    body = struct.pack("!i", version)
    for key, value in parameters.items():
        body += text(key) + text(value)
    body += b"\0"
    return struct.pack("!i", len(body) + 4) + body


class Wire:
    """A socket to a server or proxy. `login` makes it a session; without it all is up to you."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self._pending = b""
        self.parameters: dict[str, str] = {}
        self.key = (0, 0)
        self.secret = b""  # the key's second part as it came: 4 bytes, or more from 3.2 on

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def receive(self) -> Message | None:
        """The next message; None where the other side closed or reset the connection."""
        head = self._take(5)
        if head is None:
            return None
        (length,) = struct.unpack("!i", head[1:])
        body = self._take(length - 4)
        return None if body is None else Message(chr(head[0]), body)

    def _take(self, count: int) -> bytes | None:
        while len(self._pending) < count:
            try:
                got = self.socket.recv(1 << 20)
            except ConnectionError:
                return None
            if not got:
                return None
            self._pending += got
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken

    def until_ready(self) -> list[Message]:
        """All messages up to and with ReadyForQuery, or up to the end of the connection."""
        found: list[Message] = []
        while (got := self.receive()) is not None:
            found.append(got)
            if got.type == "Z":
                break
        return found

    def ask(self, *parts: bytes) -> list[Message]:
        self.send(*parts)
        return self.until_ready()

    def until_end(self) -> list[Message]:
        """All messages until the other side closes."""
        found: list[Message] = []
        while (got := self.receive()) is not None:
            found.append(got)
        return found

    def login(
        self, dsn: Dsn, more: Mapping[str, str] | None = None, version: int = PROTOCOL_3_0
    ) -> list[Message]:
        """Startup and SCRAM; the messages up to ReadyForQuery or the refusal."""
        named = {"user": dsn.user, "database": dsn.dbname, "application_name": dsn.application}
        self.send(startup({**named, **(more or {})}, version))
        first = self.receive()
        if first is None or first.type == "E":
            return [] if first is None else [first]
        if first.body[:4] == struct.pack("!i", 10):
            refusal = self._scram(dsn.password)
            if refusal is not None:
                return [refusal]
        answers = self.until_ready()
        for got in answers:
            if got.type == "S":
                name, value = got.body.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            elif got.type == "K":
                self.key = struct.unpack_from("!ii", got.body)
                self.secret = got.body[4:]
        return answers

    def _scram(self, password: str) -> Message | None:
        """RFC 5802 with SHA-256, as PostgreSQL asks for it; the refusal, if there is one."""
        nonce = secrets.token_hex(12)
        bare = f"n=,r={nonce}"
        initial = f"n,,{bare}".encode()
        self.send(message("p", text("SCRAM-SHA-256") + struct.pack("!i", len(initial)) + initial))
        first = self._sasl()
        if first.type == "E":
            return first
        challenge = first.body[4:].decode()
        said = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"])
        )
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={said['r']}"
        signed = ",".join((bare, challenge, without_proof)).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.send(message("p", f"{without_proof},p={base64.b64encode(proof).decode()}".encode()))
        last = self._sasl()
        return last if last.type == "E" else None

    def _sasl(self) -> Message:
        got = self.receive()
        if got is None:
            raise HarnessError("the connection ended within the login")
        return got

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def session(dsn: Dsn) -> Wire:
    """A logged-in Wire; HarnessError where the login is refused."""
    wire = Wire(dsn.port)
    answers = wire.login(dsn)
    if not answers or answers[-1].type != "Z":
        wire.close()
        raise HarnessError(f"login refused: {[got.fields() for got in answers]}")
    return wire


def send_cancel(port: int, process_id: int, key: bytes) -> list[Message]:
    """A CancelRequest; what came back (nothing) once the other side has closed."""
    with Wire(port) as wire:
        wire.send(struct.pack("!iii", 12 + len(key), CANCEL_REQUEST, process_id), key)
        return wire.until_end()


def shape(messages: list[Message]) -> str:
    """The type letters in order, without asynchronous ParameterStatus and notices."""
    return "".join(got.type for got in messages if got.type not in "SN")
