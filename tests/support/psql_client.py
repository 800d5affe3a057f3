"""Clients: connection descriptions, the psql program, and psycopg connections."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from scratch import HarnessError, clean_environment


@dataclass(frozen=True)
class Dsn:
    """Where to connect and as whom. The password stays out of every printed form."""

    port: int
    user: str
    password: str
    dbname: str = "postgres"
    host: str = "127.0.0.1"
    application: str = "harness"
    sslmode: str = "prefer"
    options: str = ""

    def to(self, **changes: object) -> Dsn:
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"Dsn({self.public()})"

    def public(self) -> str:
        """keyword=value form without the password."""
        return f"host={self.host} port={self.port} dbname={self.dbname} user={self.user}"

    def environment(self) -> dict[str, str]:
        """What libpq programs read, so that nothing secret is on a command line."""
        env = {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGDATABASE": self.dbname,
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGAPPNAME": self.application,
            "PGSSLMODE": self.sslmode,
            "PGCONNECT_TIMEOUT": "10",
        }
        if self.options:
            env["PGOPTIONS"] = self.options
        return env


@dataclass(frozen=True)
class PsqlResult:
    stdout: str
    stderr: str
    rc: int

    def checked(self) -> PsqlResult:
        """Itself, or HarnessError with what psql said."""
        if self.rc != 0:
            raise HarnessError(f"psql ended with {self.rc}: {self.stderr.strip()}")
        return self

    def value(self) -> str:
        """The single value of an unaligned run."""
        return self.checked().stdout.strip()


def psql(
    dsn: Dsn,
    *commands: str,
    file: Path | None = None,
    variables: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    timeout: float = 120,
) -> PsqlResult:
    """Runs psql without start-up file, stopping at the first error; each command is one Query."""
    argv = ["psql", "-X", "-v", "ON_ERROR_STOP=1", *flags]
    for name, value in (variables or {}).items():
        argv += ["-v", f"{name}={value}"]
    for command in commands:
        argv += ["-c", command]
    if file is not None:
        argv += ["-f", str(file)]
    done = subprocess.run(
        argv,
        env=clean_environment(Path("/nonexistent"), dsn.environment()),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return PsqlResult(done.stdout, done.stderr, done.returncode)


def scalar(dsn: Dsn, sql: str) -> str:
    """The one value of a statement, as psql prints it."""
    return psql(dsn, sql, flags=("-A", "-t", "-q")).value()


def rows(dsn: Dsn, sql: str) -> list[tuple[str, ...]]:
    """All rows of a statement as text fields, columns split by an unlikely separator."""
    result = psql(dsn, sql, flags=("-A", "-t", "-q", "-F", "\x1f")).checked()
    return [tuple(line.split("\x1f")) for line in result.stdout.splitlines()]


def connect(dsn: Dsn, *, autocommit: bool = True) -> psycopg.Connection[tuple]:
    """A psycopg connection that makes no named statements behind our back."""
    return psycopg.connect(
        host=dsn.host,
        port=dsn.port,
        dbname=dsn.dbname,
        user=dsn.user,
        password=dsn.password,
        application_name=dsn.application,
        sslmode=dsn.sslmode,
        options=dsn.options or None,
        connect_timeout=10,
        autocommit=autocommit,
        prepare_threshold=None,
    )
