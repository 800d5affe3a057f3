"""Clients of the demo: psycopg connections whose every statement is kept in a journal.

The journal is what really was sent through Postern; the audit trail is later compared with it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType

import psycopg

from psql_client import Dsn, connect


class CapabilityError(Exception):
    """A capability does not do what it promises; the message says what was seen instead."""


def expect(condition: bool, otherwise: str) -> None:
    """CapabilityError with `otherwise` unless the condition holds."""
    if not condition:
        raise CapabilityError(otherwise)


@dataclass(frozen=True)
class ServerError:
    sqlstate: str
    message: str
    hint: str


@dataclass(frozen=True)
class Answer:
    """One statement and what came back."""

    login: str
    sql: str
    columns: tuple[str, ...]
    type_oids: tuple[int, ...]
    rows: tuple[tuple[object, ...], ...]
    tag: str
    error: ServerError | None
    milliseconds: float

    def checked(self) -> Answer:
        """Itself, unless the statement failed."""
        if self.error is not None:
            raise CapabilityError(
                f"{self.login}: {self.sql[:80]!r} failed: "
                f"{self.error.sqlstate} {self.error.message}"
            )
        return self

    def value(self) -> object:
        """The single value of a successful statement."""
        rows = self.checked().rows
        expect(len(rows) == 1 and len(rows[0]) == 1, f"not one value: {self.sql[:80]!r}")
        return rows[0][0]


@dataclass(frozen=True)
class Entry:
    """One statement as its sender saw it."""

    application: str
    login: str
    succeeded: bool


@dataclass
class Journal:
    entries: list[Entry] = field(default_factory=list)

    def add(self, dsn: Dsn, succeeded: bool, statements: int = 1) -> None:
        self.entries += [Entry(dsn.application, dsn.user, succeeded)] * statements

    def of(self, application: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.application == application]


class Client:
    """A connection in autocommit that turns errors into answers."""

    def __init__(self, dsn: Dsn, journal: Journal | None = None) -> None:
        self._dsn = dsn
        self._journal = journal
        self.connection = connect(dsn)

    def run(
        self, sql: str, parameters: Sequence[object] | None = None, *, binary: bool = False
    ) -> Answer:
        """One statement; with parameters it goes by the extended protocol."""
        started = time.perf_counter()
        error: ServerError | None = None
        columns: tuple[str, ...] = ()
        oids: tuple[int, ...] = ()
        rows: tuple[tuple[object, ...], ...] = ()
        tag = ""
        with self.connection.cursor(binary=binary) as cursor:
            try:
                cursor.execute(sql, parameters)  # type: ignore[arg-type]
                tag = cursor.statusmessage or ""
                if cursor.description is not None:
                    columns = tuple(column.name for column in cursor.description)
                    oids = tuple(column.type_code for column in cursor.description)
                    rows = tuple(cursor.fetchall())
            except psycopg.Error as raised:
                error = _server_error(raised)
        spent = (time.perf_counter() - started) * 1000
        if self._journal is not None:
            self._journal.add(self._dsn, error is None)
        return Answer(self._dsn.user, sql, columns, oids, rows, tag, error, spent)

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _server_error(raised: psycopg.Error) -> ServerError:
    diag = raised.diag
    message = diag.message_primary or str(raised).strip() or type(raised).__name__
    return ServerError(diag.sqlstate or "?????", message, diag.message_hint or "")
