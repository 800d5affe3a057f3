"""The programs that are compared, each behind the same few properties: port, process, login."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field

from cluster import Cluster
from managed_process import ManagedProcess
from postern_server import Ports, speaks_postgres
from psql_client import Dsn
from scratch import HarnessError, free_port

DATABASE, ROLE = "bench", "bench_app"
SERVER_CONNECTIONS = 600
PGBOUNCER, HAPROXY = "/usr/sbin/pgbouncer", "/usr/sbin/haproxy"


@dataclass(frozen=True)
class Login:
    """How clients prove themselves: the password, and the verifier both proxies are given."""

    password: str
    verifier: str


@dataclass(frozen=True)
class Shape:
    """What is varied between cells. `extra` are further sections of Postern's configuration."""

    pool_mode: str = "session"
    pool_size: int = 20
    tls: bool = False
    scram: bool = False
    protected: bool = False
    audit: bool = False


@dataclass
class Contestant:
    name: str
    dsn: Dsn
    process: ManagedProcess | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        if self.process is None:
            raise HarnessError(f"{self.name} has no process of its own")
        return self.process.pid


class Bench:
    """PostgreSQL with pgbench's tables, and the contestants started in front of it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.under: tuple[str, ...] = ()  # what contestants run under: a profiler
        self._count = 0
        self.server = cluster.start_primary(
            {"max_connections": str(SERVER_CONNECTIONS), "shared_buffers": "128MB"}
        )
        owner = self.server.superuser
        self.server.scalar(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{cluster.password}'")
        self.server.scalar(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
        self.server.scalar(f"GRANT pg_read_all_stats TO {ROLE}")
        verifier = self.server.scalar(
            f"SELECT rolpassword FROM pg_authid WHERE rolname = '{ROLE}'"
        )
        self.login = Login(cluster.password, verifier)
        self.direct = Contestant("direct", owner.to(
            user=ROLE, password=cluster.password, dbname=DATABASE, sslmode="disable"))  # fmt: skip
        self._prepare_tables()

    def _prepare_tables(self) -> None:
        done = self.cluster.scratch.run(
            ["pgbench", "-i", "-q", "-s", "1"], env=self.direct.dsn.environment(), timeout=120
        )
        if done.returncode != 0:
            raise HarnessError(f"pgbench -i failed: {done.stderr.strip()}")

    def _name(self, program: str) -> str:
        self._count += 1
        return f"{program}{self._count}"

    def _through(self, port: int, shape: Shape) -> Dsn:
        return Dsn(port, ROLE, self.login.password, DATABASE, application="bench",
                   sslmode="require" if shape.tls else "disable")  # fmt: skip

    def _certificate(self, folder: object) -> None:
        made = self.cluster.scratch.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=localhost",
             "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.crt"]
        )  # fmt: skip
        made.check_returncode()

    # --- Postern --------------------------------------------------------------------------------

    def postern(self, shape: Shape, name: str = "postern") -> Contestant:
        """One worker. HarnessError, naming the code, where the configuration is refused."""
        server = self.cluster.add_postern(name=self._name(name))
        server.under = self.under
        server.write("app.password", self.login.password + "\n")
        user = f'[user.{ROLE}]\nscram = "{self.login.verifier}"\n'
        if shape.protected:
            user += 'tenant = "1"\nprofile = "app"\n'
        server.write("users.toml", user)
        if shape.tls:
            self._certificate(server.folder)

        def render(ports: Ports) -> str:
            return self._postern_toml(ports, shape)

        server.configure(render)
        if shape.protected:
            for command in (("init",), ("tenant", "add", "1")):
                server.cli_checked("keys", *command, "-c", "postern.toml")
        checked = server.cli("check", "-c", "postern.toml")
        if checked.returncode != 0:
            raise HarnessError((checked.stderr + checked.stdout).strip().splitlines()[0])
        server.start(render)
        return Contestant(name, self._through(server.ports.clients, shape), server.process)

    def _postern_toml(self, ports: Ports, shape: Shape) -> str:
        method = "scram-sha-256" if shape.scram or shape.protected else "trust"
        text = f"""\
[listen]
port = {ports.clients}
workers = 1
[cluster.main]
nodes = ["127.0.0.1:{self.server.port}"]
[auth]
method = "{method}"
users_file = "users.toml"
[limits]
max_clients = 100000
[log]
level = "warning"
[database.{DATABASE}]
cluster = "main"
user = "{ROLE}"
password_file = "app.password"
pool_mode = "{shape.pool_mode}"
pool_size = {shape.pool_size}
"""
        if shape.tls:
            text += '[listen.tls]\nmode = "allow"\ncert_file = "tls.crt"\nkey_file = "tls.key"\n'
        if shape.protected:
            text += f"""\
[service]
user = "{ROLE}"
password_file = "app.password"
[policy]
mode = "gate"
[tenant]
column = "bid"
type = "int4"
guard_key_file = "guard.key"
[keys]
file = "keys.store"
kek_file = "root.key"
"""
        if shape.audit:
            text += '[audit]\ndir = "audit"\nkey_file = "audit.key"\nmode = "batch"\n'
        return text

    # --- the peers ------------------------------------------------------------------------------

    def pgbouncer(self, shape: Shape, name: str = "pgbouncer") -> Contestant:
        """A single process; what it logs per connection is switched off, as it is in Postern."""
        folder = self.cluster.scratch.folder(self._name(name))
        port = free_port()
        write = self.cluster.scratch.write
        write(folder / "userlist.txt", f'"{ROLE}" "{self.login.verifier}"\n')
        tls = ""
        if shape.tls:
            self._certificate(folder)
            tls = (f"client_tls_sslmode = allow\nclient_tls_key_file = {folder}/tls.key\n"
                   f"client_tls_cert_file = {folder}/tls.crt\n")  # fmt: skip
        write(folder / "pgbouncer.ini", f"""\
[databases]
{DATABASE} = host=127.0.0.1 port={self.server.port} user={ROLE} password={self.login.password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = {"scram-sha-256" if shape.scram else "trust"}
auth_file = {folder}/userlist.txt
pool_mode = {shape.pool_mode}
default_pool_size = {shape.pool_size}
max_client_conn = 100000
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
{tls}""")  # fmt: skip
        argv = [PGBOUNCER, folder / "pgbouncer.ini"]
        return self._start(name, folder, argv, shape, port)

    def haproxy(self, shape: Shape) -> Contestant:
        """A relay that knows nothing of PostgreSQL: the practical floor."""
        folder = self.cluster.scratch.folder(self._name("haproxy"))
        port = free_port()
        self.cluster.scratch.write(folder / "haproxy.cfg", f"""\
global
    nbthread 1
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen relay
    bind 127.0.0.1:{port}
    server main 127.0.0.1:{self.server.port}
""")  # fmt: skip
        return self._start("haproxy", folder, [HAPROXY, "-db", "-f", folder / "haproxy.cfg"],
                           shape, port)  # fmt: skip

    def _start(
        self, name: str, folder: object, argv: list[object], shape: Shape, port: int
    ) -> Contestant:
        if shutil.which(str(argv[0])) is None:
            raise HarnessError(f"{argv[0]} is not installed: ./dev deps bench")
        process = ManagedProcess(str(folder).rpartition("/")[2], self.cluster.scratch,
                                 [*self.under, *map(str, argv)], cwd=folder)  # fmt: skip
        self.cluster.on_close(process.stop)
        process.start(lambda: speaks_postgres(port))
        return Contestant(name, self._through(port, shape), process)
