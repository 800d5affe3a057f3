"""Fixture of the tests about authentication: a server with TLS and roles of every kind."""

from __future__ import annotations

import secrets
from typing import ClassVar

import psycopg

from base import ClusterTest
from postern_server import Ports, PosternServer
from psql_client import Dsn, rows

ROLES = ("app", "carol", "dave", "erin", "late", "asker", "old", "clear", "streamer")
LOOKUP = """\
CREATE SCHEMA auth;
CREATE FUNCTION auth.lookup(login text, OUT name name, OUT secret text) RETURNS SETOF record
  LANGUAGE sql SECURITY DEFINER SET search_path = '' STABLE AS
  $$SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname = login AND rolcanlogin$$;
REVOKE ALL ON FUNCTION auth.lookup(text) FROM public;
GRANT USAGE ON SCHEMA auth TO asker;
GRANT EXECUTE ON FUNCTION auth.lookup(text) TO asker;
"""


class AuthTest(ClusterTest):
    """One server, and as many Posterns as a class starts."""

    passwords: ClassVar[dict[str, str]]

    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary()
        primary = cls.cluster.primary
        cls.passwords = {name: secrets.token_hex(8) for name in ROLES}
        for name, password in cls.passwords.items():
            primary.scalar(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        primary.scalar("ALTER ROLE late VALID UNTIL '2001-01-01'")
        primary.scalar("ALTER ROLE streamer REPLICATION")
        primary.scalar(
            "SET password_encryption = 'md5'; "
            f"ALTER ROLE old PASSWORD '{cls.passwords['old']}'"
        )
        primary.scalar("CREATE DATABASE shop OWNER app")
        primary.scalar(LOOKUP)
        cls._allow_weak_methods()
        cls.certificate("server", primary.data)
        primary.scalar("ALTER SYSTEM SET ssl = on")
        primary.scalar("SELECT pg_reload_conf()")

    @classmethod
    def _allow_weak_methods(cls) -> None:
        hba = cls.cluster.primary.data / "pg_hba.conf"
        extra = "host all old 127.0.0.1/32 md5\nhost all clear 127.0.0.1/32 password\n"
        hba.write_text(extra + hba.read_text())

    @classmethod
    def openssl(cls, *argv: object) -> None:
        cls.cluster.scratch.run(["openssl", *map(str, argv)]).check_returncode()

    @classmethod
    def certificate(cls, name: str, folder: object, subject: str = "/CN=localhost") -> None:
        """A self-signed certificate and its key, readable by the servers' account alone."""
        cls.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", subject, "-keyout", f"{folder}/{name}.key",
            "-out", f"{folder}/{name}.crt",
        )  # fmt: skip

    @classmethod
    def verifier(cls, role: str) -> str:
        return cls.cluster.primary.scalar(
            f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'"
        )

    @classmethod
    def start_postern(
        cls, name: str, auth: str, users: str = "", *, cluster: str = "", listen: str = "",
        more: str = "", keys: bool = False,
    ) -> PosternServer:  # fmt: skip
        """Serves "shop" of the server under [auth] as given, TLS allowed on both legs."""
        postern = cls.cluster.add_postern(name=name)
        cls.certificate("tls", postern.folder)
        postern.write("users.toml", users)
        primary = cls.cluster.primary

        def render(ports: Ports) -> str:
            return f"""\
[listen]
port = {ports.clients}
workers = 2
[listen.tls]
mode = "allow"
cert_file = "tls.crt"
key_file = "tls.key"
{listen}
[cluster.main]
nodes = ["127.0.0.1:{primary.port}"]
connect_timeout = "3s"
{cluster}
[cluster.main.tls]
mode = "prefer"
[database."*"]
cluster = "main"
[limits]
login_timeout = "3s"
[metrics]
port = {ports.admin}
[auth]
users_file = "users.toml"
{auth}
{more}
"""

        if keys:
            postern.configure(render)
            postern.cli_checked("keys", "init", "-c", "postern.toml")
        postern.start(render)
        return postern

    @classmethod
    def dsn(cls, postern: PosternServer, user: str, password: str | None = None) -> Dsn:
        """A login at Postern, without TLS unless changed."""
        known = cls.passwords.get(user, "none") if password is None else password
        return postern.login(user, known, "shop", "auth test").to(sslmode="disable")

    @staticmethod
    def connect(dsn: Dsn, **more: object) -> psycopg.Connection[tuple]:
        return psycopg.connect(
            host=dsn.host, port=dsn.port, dbname=dsn.dbname, user=dsn.user, password=dsn.password,
            connect_timeout=10, autocommit=True,
            **{"sslmode": dsn.sslmode, **more},
        )  # type: ignore[arg-type]  # fmt: skip

    def whoami(self, dsn: Dsn, **more: object) -> str:
        """The role on the server that a login at Postern leads to."""
        with self.connect(dsn, **more) as connection:
            row = connection.execute("SELECT current_user::text").fetchone()
            return str(row[0]) if row else ""

    def refusal(self, dsn: Dsn, **more: object) -> str:
        """What the client is told when its login fails."""
        with self.assertRaises(psycopg.OperationalError) as caught:
            self.connect(dsn, **more).close()
        return str(caught.exception)

    def sessions_of(self, role: str) -> list[tuple[str, ...]]:
        sql = f"SELECT pid, query FROM pg_stat_activity WHERE usename = '{role}'"
        return rows(self.cluster.primary.superuser, sql)
