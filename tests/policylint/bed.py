"""A walled clean database, copies of it to be spoilt, and a server that calls itself older."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from catalogue import CLEAN, Seed
from cluster import Cluster
from postern_server import PosternServer
from psql_client import Dsn, psql
from scratch import HarnessError

TWIN, SERVICE = "twin", "postern_service"
_ROLES = (
    "CREATE ROLE own NOLOGIN",
    "CREATE ROLE readers NOLOGIN",
    "CREATE ROLE mallory NOLOGIN",
    "CREATE ROLE app LOGIN IN ROLE readers",
)


@dataclass(frozen=True)
class Finding:
    rule: str
    object: str
    reason: str
    repair: str


class Database:
    """One database: SQL as superuser, lint as the service login."""

    def __init__(self, bed: Bed, name: str, port: int) -> None:
        self.name = name
        self._bed = bed
        self._port = port

    def run(self, sql: str) -> None:
        """All in one session, statement by statement."""
        script = self._bed.postern.write("seed.sql", sql + ";\n", 0o644)
        psql(self._bed.cluster.primary.superuser.to(dbname=self.name), file=script,
             flags=("-q",)).checked()  # fmt: skip

    def lint(self, accept: list[str] | None = None) -> list[Finding]:
        """What the command reports; its exit code must agree."""
        self._bed.configure(self._port, accept or [])
        done = self._bed.postern.cli(
            "policy", "lint", "-c", "postern.toml", "-d", self.name, "--json"
        )
        if done.returncode not in (0, 1):
            raise HarnessError(f"policy lint: {done.stderr.strip()}")
        found = json.loads(done.stdout)["findings"]
        if bool(found) != bool(done.returncode):
            raise HarnessError(f"exit code {done.returncode} with {len(found)} findings")
        return [Finding(f["rule"], f["object"], f["reason"], f["repair"]) for f in found]


class Bed:
    """Cluster, Postern's program, and the twin with its wall applied."""

    def __init__(self) -> None:
        self.cluster = Cluster("postern-lint-")
        self._copies = 0

    def __enter__(self) -> Bed:
        self.cluster.__enter__()
        primary = self.cluster.start_primary({"listen_addresses": "127.0.0.1"})
        self.postern: PosternServer = self.cluster.add_postern()
        self._password = secrets.token_hex(8)
        for statement in (
            *_ROLES,
            f"CREATE ROLE {SERVICE} LOGIN PASSWORD '{self._password}'",
            f"CREATE DATABASE {TWIN}",
        ):
            primary.scalar(statement)
        self.postern.write("service.password", self._password + "\n")
        self.postern.write("users.toml", '[user.one]\npassword = "x"\ntenant = "1"\n')
        twin = Database(self, TWIN, primary.port)
        twin.run("ALTER SCHEMA public OWNER TO own; SET ROLE own;\n" + CLEAN)
        self.configure(primary.port, [])
        self.postern.cli_checked("keys", "init", "-c", "postern.toml")
        self._apply(primary.superuser)
        return self

    def __exit__(self, *error: object) -> None:
        self.cluster.__exit__(*error)  # type: ignore[arg-type]

    def _apply(self, superuser: Dsn) -> None:
        login = superuser.to(dbname=TWIN)
        self.postern.cli_checked(
            "policy", "apply", "-c", "postern.toml", "-d", TWIN, "--dsn", login.public(),
            database=login,
        )  # fmt: skip

    def configure(self, port: int, accept: list[str]) -> None:
        self.postern.write("postern.toml", f"""\
[listen]
port = {self.postern.ports.clients}
[cluster.main]
nodes = ["127.0.0.1:{port}"]
[service]
user = "{SERVICE}"
password_file = "service.password"
[auth]
users_file = "users.toml"
[database."*"]
cluster = "main"
user = "app"
[policy]
lint_accept = {json.dumps(accept)}
[tenant]
column = "tenant"
shared = ["public.kinds"]
guard_key_file = "guard.key"
""")

    def rules(self) -> list[dict[str, str]]:
        return json.loads(self.postern.cli_checked("policy", "lint", "--rules", "--json"))

    @contextmanager
    def copy(self, seed: Seed) -> Iterator[Database]:
        """A copy of the twin with the seed in it; what it did to the cluster is undone."""
        primary = self.cluster.primary
        self._copies += 1
        database = Database(self, f"copy{self._copies}", primary.port)
        primary.scalar(f"CREATE DATABASE {database.name} TEMPLATE {TWIN}")
        reload = "ALTER SYSTEM" in seed.sql
        try:
            database.run(seed.sql.format(database=database.name))
            if reload:
                primary.scalar("SELECT pg_reload_conf()")
            yield database
        finally:
            if seed.undo:
                for statement in seed.undo.split(";"):
                    primary.scalar(statement)
            if reload:
                primary.scalar("SELECT pg_reload_conf()")
            primary.scalar(f"DROP DATABASE {database.name} (FORCE)")

    @contextmanager
    def aged_server(self, version: str) -> Iterator[Database]:
        """The twin behind a relay that changes the version in the server's own words."""
        listener = socket.create_server(("127.0.0.1", 0))
        relay = threading.Thread(
            target=_relay, args=(listener, self.cluster.primary.port, version), daemon=True
        )
        relay.start()
        try:
            yield Database(self, TWIN, listener.getsockname()[1])
        finally:
            listener.close()


def _relay(listener: socket.socket, port: int, version: str) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        for source, target, aged in ((client, server, None), (server, client, version)):
            threading.Thread(target=_copy, args=(source, target, aged), daemon=True).start()


def _copy(source: socket.socket, target: socket.socket, version: str | None) -> None:
    """Bytes as they come; the first five of the version's text are replaced."""
    with suppress(OSError):
        while data := source.recv(65536):
            at = data.find(b"server_version\0")
            if version is not None and at >= 0:
                begin = at + len(b"server_version\0")
                data = data[:begin] + version.encode() + data[begin + len(version) :]
                version = None  # rows may hold the same words
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
