"""What the tests of both forms share: a bed per class, and a session that is armed and asked."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import unittest
from pathlib import Path
from typing import ClassVar

import psycopg

from bed import APP, Bed, make
from cluster import Cluster
from psql_client import connect
from tokens import ARM, DISARM, Context, Key, context_for

INVALID, EXPIRED = "ZP002", "ZP003"

_built: list[Path] = []


def extension_build() -> Path:
    """The folder of the extension's objects; $POSTERN_GUARD_BUILD names one with other sources."""
    named = os.environ.get("POSTERN_GUARD_BUILD")
    if not _built:
        _built.append(Path(named or tempfile.mkdtemp(prefix="postern-guard-")))
        if not named:
            atexit.register(shutil.rmtree, _built[0], ignore_errors=True)
        make(_built[0], "all")
    return _built[0]


class Session:
    """A connection as the application's role, past Postern."""

    def __init__(self, connection: psycopg.Connection[tuple], key: Key) -> None:
        self.connection = connection
        self.key = key

    def one(self, sql: str, *parameters: object) -> object:
        """The first value of the first row; None where there is no row."""
        row = self.connection.execute(sql, parameters or None).fetchone()
        return None if row is None else row[0]

    def run(self, sql: str) -> None:
        self.connection.execute(sql)

    def state(self, sql: str, *parameters: object) -> str:
        """The SQLSTATE of a statement; empty where it succeeds."""
        try:
            self.connection.execute(sql, parameters or None)
        except psycopg.Error as error:
            return error.sqlstate or "?"
        return ""

    def context(self, tenant: str = "acme", seconds: float = 300) -> Context:
        return context_for(self.connection, self.key, tenant, seconds)

    def arm(self, tenant: str = "acme") -> str:
        """Arms as Postern does; the token."""
        token = self.context(tenant).token(self.key)
        assert self.one(DISARM) == ""
        assert self.one(ARM, token) == token
        return token

    def try_token(self, token: str, how: str = DISARM) -> str:
        """What a token is worth: the tenant, 'none', or the SQLSTATE of setting or using it."""
        try:
            self.run(how)
            self.one("SELECT set_config('postern.ctx', %s, false)", token)
            tenant = self.one("SELECT postern.tenant()")
            return "none" if tenant is None else str(tenant)
        except psycopg.Error as error:
            return error.sqlstate or "?"
        finally:
            self.run("RESET postern.ctx")


class GuardTest(unittest.TestCase):
    """`native`: with the extension; `walled`: whether boot() raises the walls."""

    native: ClassVar[bool] = False
    walled: ClassVar[bool] = True
    bed: ClassVar[Bed]

    @classmethod
    def setUpClass(cls) -> None:
        if cls is GuardTest:
            raise unittest.SkipTest("a base")
        cluster = Cluster("postern-guard-").__enter__()
        cls.addClassCleanup(cluster.__exit__, None, None, None)
        cls.bed = Bed(cluster, extension_build() if cls.native else None)
        if cls.walled:
            cls.bed.raise_walls()

    def session(self, role: str = APP, database: str = "shop") -> Session:
        connection = connect(self.bed.login(role, database))
        self.addCleanup(connection.close)
        return Session(connection, self.bed.key)

    def superuser(self, database: str = "shop") -> Session:
        connection = connect(self.bed.admin(database))
        self.addCleanup(connection.close)
        return Session(connection, self.bed.key)
