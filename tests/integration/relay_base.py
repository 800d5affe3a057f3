"""Fixture of the relay's tests: an unprotected database behind Postern, and its twin in front."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import ClassVar

import psycopg

from base import ClusterTest
from postern_server import Ports, PosternServer
from psql_client import Dsn, connect, rows
from scratch import wait_until

DATABASE, TWIN = "relay", "relay_twin"
APP, SERVICE, CLIENT = "app", "postern_service", "guest"
POOL_TIMEOUT_SECONDS = 1.5


class RelayTest(ClusterTest):
    """A role, a database, a login; Postern with TLS allowed and a second, narrow pool."""

    postern: ClassVar[PosternServer]
    passwords: ClassVar[dict[str, str]]

    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary(cls.server_settings())
        cls.passwords = {name: secrets.token_hex(8) for name in (APP, SERVICE, CLIENT)}
        for statement in (
            f"CREATE ROLE {APP} LOGIN PASSWORD '{cls.passwords[APP]}'",
            f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{cls.passwords[SERVICE]}'",
            f"GRANT pg_read_all_stats TO {SERVICE}",
            f"CREATE DATABASE {DATABASE} OWNER {APP}",
            f"CREATE DATABASE {TWIN} OWNER {APP}",
            f"CREATE DATABASE narrow OWNER {APP}",
        ):
            cls.cluster.primary.scalar(statement)
        cls.postern = cls.add_postern("postern")
        cls.postern.start(cls.toml)

    @classmethod
    def server_settings(cls) -> dict[str, str]:
        """What the server is started with besides the usual."""
        return {}

    @classmethod
    def add_postern(cls, name: str) -> PosternServer:
        """A Postern with all its files but the configuration."""
        postern = cls.cluster.add_postern(name=name)
        postern.write("app.password", cls.passwords[APP] + "\n")
        postern.write("service.password", cls.passwords[SERVICE] + "\n")
        postern.write("users.toml", f'[user.{CLIENT}]\npassword = "{cls.passwords[CLIENT]}"\n')
        certificate = cls.cluster.scratch.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-keyout", postern.folder / "tls.key", "-out", postern.folder / "tls.crt"]
        )  # fmt: skip
        certificate.check_returncode()
        return postern

    @classmethod
    def toml(cls, ports: Ports) -> str:
        database = f'cluster = "main"\nuser = "{APP}"\npassword_file = "app.password"\n'
        return f"""\
[listen]
port = {ports.clients}
workers = 2
[listen.tls]
mode = "allow"
cert_file = "tls.crt"
key_file = "tls.key"
[cluster.main]
nodes = ["127.0.0.1:{cls.cluster.primary.port}"]
connect_timeout = "3s"
[service]
user = "{SERVICE}"
password_file = "service.password"
[auth]
users_file = "users.toml"
[metrics]
port = {ports.admin}
[limits]
pool_timeout = "{int(POOL_TIMEOUT_SECONDS * 1000)}ms"
login_timeout = "2s"
shutdown_timeout = "5s"
[database.{DATABASE}]
{database}
[database.narrow]
pool_size = 1
{database}
"""

    # --- who talks ------------------------------------------------------------------------------

    @classmethod
    def client(cls, **changes: object) -> Dsn:
        """The login at Postern."""
        dsn = cls.postern.login(CLIENT, cls.passwords[CLIENT], DATABASE, "through postern")
        return dsn.to(sslmode="disable").to(**changes)

    @classmethod
    def direct(cls) -> Dsn:
        """The same role in the twin of the database, past Postern."""
        login = cls.cluster.primary.superuser
        return login.to(user=APP, password=cls.passwords[APP], dbname=TWIN)

    def connect(self, dsn: Dsn | None = None) -> psycopg.Connection[tuple]:
        """A connection through Postern that ends with the test."""
        connection = connect(dsn or self.client())
        self.addCleanup(connection.close)
        return connection

    def sqlstate(self, action: Callable[[], object]) -> str:
        """The SQLSTATE with which the action fails."""
        with self.assertRaises(psycopg.Error) as caught:
            action()
        return caught.exception.sqlstate or ""

    def backends(self, state: str = "%") -> list[str]:
        """Process ids of the server's sessions for clients, as the superuser sees them."""
        sql = (
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            f" AND usename = '{APP}' AND state LIKE '{state}' ORDER BY 1"
        )
        return [pid for (pid,) in rows(self.cluster.primary.superuser, sql)]

    def wait_for_active(self, count: int) -> None:
        wait_until(lambda: len(self.backends("active")) == count, f"{count} running statements")
