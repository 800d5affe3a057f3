"""Signed tenant contexts, made as Postern makes them (policy/context_token.hpp)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field, replace

import psycopg

# As policy/arming.hpp sends them.
ARM = (
    "SELECT pg_catalog.set_config('postern.ctx', %s::pg_catalog.text, false) WHERE COALESCE("
    "pg_catalog.current_setting('postern.ctx', true), ''::pg_catalog.text) OPERATOR(pg_catalog.=)"
    " ''::pg_catalog.text"
)
DISARM = "SELECT pg_catalog.set_config('postern.ctx', '', false)"
LEARN = (
    "SELECT datid::text, pid::text, (EXTRACT(epoch FROM backend_start) * 1000000)::int8::text"
    " FROM pg_stat_get_activity(pg_backend_pid())"
)
FIELDS = ("version", "database", "kid", "tenant", "subject", "roles", "pid", "start", "expiry")


@dataclass(frozen=True)
class Key:
    """A guard key; its id is the beginning of its hash."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def kid(self) -> str:
        return hashlib.sha256(self.secret).hexdigest()[:16]

    @property
    def line(self) -> str:
        return self.secret.hex() + "\n"

    def blocks(self) -> tuple[str, str]:
        """The inner and outer block of RFC 2104, in hex."""
        padded = self.secret.ljust(64, b"\0")
        return tuple(bytes(b ^ pad for b in padded).hex() for pad in (0x36, 0x5C))  # type: ignore

    def sign(self, message: str) -> str:
        mac = hmac.new(self.secret, message.encode(), hashlib.sha256).hexdigest()
        return f"{message}.{mac}"


def words(*values: str) -> str:
    return ",".join(value.encode().hex() for value in values)


@dataclass(frozen=True)
class Context:
    """The fields of a context as text; `token` signs them whatever they are."""

    database: str
    kid: str
    tenant: str
    subject: str
    roles: str
    pid: str
    start: str
    expiry: str
    version: str = "pctx1"

    def to(self, **changes: str) -> Context:
        return replace(self, **changes)

    def message(self) -> str:
        return ".".join(getattr(self, name) for name in FIELDS)

    def token(self, key: Key) -> str:
        return key.sign(self.message())


def in_seconds(seconds: float) -> str:
    return str(int((time.time() + seconds) * 1_000_000))


def context_for(
    session: psycopg.Connection[tuple], key: Key, tenant: str = "acme", seconds: float = 300
) -> Context:
    """A right context of the session's own backend."""
    row = session.execute(LEARN).fetchone()
    assert row is not None
    database, pid, start = row
    return Context(
        database=database, kid=key.kid, tenant=words(tenant) if tenant else "",
        subject=words("käthe@example.org"), roles=words("clerk", "a,b", "prüfer"),
        pid=pid, start=start, expiry=in_seconds(seconds),
    )  # fmt: skip
