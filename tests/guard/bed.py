"""Servers with and without the extension, with a walled database each, raised by `policy apply`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from cluster import Cluster
from pg_server import PG_BIN, PgServer
from postern_server import PosternServer, Ports
from psql_client import Dsn, psql
from scratch import HarnessError, Scratch
from tokens import Key

SOURCES = Path(__file__).resolve().parents[2] / "policy" / "guard"
SYSTEM = Path("/")
DATABASES = ("shop", "other")
APP, OWNER = "app", "own"
ROWS = 4000  # of each tenant in `orders`
TENANTS = ("acme", "globex")

SCHEMA = f"""
CREATE TABLE orders (tenant text NOT NULL, id int NOT NULL, amount int, note text,
                     PRIMARY KEY (tenant, id));
INSERT INTO orders SELECT t, i, i % 97, t || '-' || i
  FROM unnest('{{acme,globex}}'::text[]) AS t, generate_series(1, {ROWS}) AS i;
CREATE TABLE numbered (tenant int, v text);
INSERT INTO numbered VALUES (1, 'one'), (2, 'two');
CREATE TABLE shared (v text);
ALTER TABLE orders OWNER TO {OWNER};
ALTER TABLE numbered OWNER TO {OWNER};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP};
GRANT CREATE ON SCHEMA public TO {APP};
VACUUM ANALYZE orders;
"""


def make(folder: Path, *targets: str) -> None:
    """Runs the extension's Makefile with its objects in `folder`."""
    sources = folder / "source" if (folder / "source").exists() else SOURCES
    done = subprocess.run(
        ["make", "-s", "-f", sources / "Makefile", f"VPATH={sources}", *targets], cwd=folder,
        env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.returncode != 0:
        raise HarnessError(f"make {' '.join(targets)}: {done.stdout}{done.stderr}")


def link_beside(real: Path, copy: Path) -> None:
    """Every entry of a system folder appears in `copy` as a link, unless it is there."""
    copy.mkdir(parents=True, exist_ok=True)
    for entry in real.iterdir():
        if not (copy / entry.name).exists():
            (copy / entry.name).symlink_to(entry)


def installation(scratch: Scratch, build: Path) -> Path:
    """A PostgreSQL that has the extension, beside the system's own; the folder of its programs.

    The server finds its libraries by where its program lies, so the program alone is a copy.
    """
    root = scratch.folder("installed")
    make(build, "install", f"DESTDIR={root}")
    version = PG_BIN.parent.relative_to(SYSTEM)
    share = Path("usr/share/postgresql") / PG_BIN.parent.name
    for folder in (version / "lib", share / "extension", share):
        link_beside(SYSTEM / folder, root / folder)
    programs = root / version / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    shutil.copy2(PG_BIN / "postgres", programs / "postgres")
    shutil.copy2(PG_BIN / "initdb", programs / "initdb")
    for path in (programs, *programs.parents):
        if root in (path, *path.parents):
            path.chmod(0o755)
    return programs


class Bed:
    """One server and its walled databases. `extension`: the folder of the extension's build."""

    def __init__(self, cluster: Cluster, extension: Path | None) -> None:
        self.cluster = cluster
        self.key = Key()
        self.native = extension is not None
        self.key_file = cluster.scratch.path / "server.key"
        name = "postern-guarded" if self.native else "postern-plain"
        self.postern: PosternServer = cluster.add_postern(name=name)
        self.server = self._start(extension)
        for role in (APP, OWNER):
            self.server.scalar(f"CREATE ROLE {role} LOGIN PASSWORD 'secret'")
        for database in DATABASES:
            self.server.scalar(f"CREATE DATABASE {database}")
            psql(self.admin(database), SCHEMA.replace("VACUUM ANALYZE orders;", "")).checked()
            psql(self.admin(database), "VACUUM ANALYZE orders").checked()
        self.postern.write("guard.key", self.key.line)
        self.postern.write("service.password", cluster.password + "\n")
        self.postern.write("users.toml", "".join(
            f'[user.{tenant}]\npassword = "secret"\ntenant = "{tenant}"\nprofile = "app"\n'
            for tenant in TENANTS
        ))  # fmt: skip
        self.postern.configure(self.toml)

    def _start(self, extension: Path | None) -> PgServer:
        settings = {"max_parallel_workers": "8", "max_worker_processes": "16"}
        name = "plain"
        if extension is not None:
            name = "guarded"
            self.write_keys(self.key)
        server = PgServer(self.cluster.scratch, name, self.cluster.password, settings)
        if extension is not None:
            server.programs = installation(self.cluster.scratch, extension)
        server.initdb()
        if extension is not None:
            self.configure_server(server)
        self.cluster.on_close(server.stop)
        server.start()
        return server

    def configure_server(self, server: PgServer | None = None, *, loaded: bool = True) -> None:
        library = "postern_guard" if loaded else ""
        lines = f"\nshared_preload_libraries = '{library}'\n"
        if loaded:
            lines += f"postern_guard.key_file = '{self.key_file}'\n"
        data = (server or self.server).data
        self.cluster.scratch.write(data / "postgresql.auto.conf", lines)

    def write_keys(self, *keys: Key, mode: int = 0o600) -> None:
        text = "# guard keys\n" + "".join(key.line for key in keys)
        self.cluster.scratch.write(self.key_file, text, mode)

    def restart(self) -> None:
        self.server.stop()
        self.server.start()

    # --- Postern --------------------------------------------------------------------------------

    def toml(self, ports: Ports) -> str:
        databases = "".join(
            f'[database.{name}]\ncluster = "main"\nuser = "{APP}"\npassword = "secret"\n'
            f'pool_mode = "transaction"\npool_size = 1\n'
            for name in DATABASES
        )
        return f"""\
[listen]
port = {ports.clients}
[cluster.main]
nodes = ["127.0.0.1:{self.server.port}"]
[service]
user = "postgres"
password_file = "service.password"
[auth]
users_file = "users.toml"
[policy]
mode = "enforce"
[tenant]
column = "tenant"
shared = ["public.shared"]
guard_key_file = "guard.key"
{databases}"""

    def policy(self, command: str, database: str = "shop") -> subprocess.CompletedProcess[str]:
        dsn = self.admin(database)
        return self.postern.cli("policy", command, "-c", "postern.toml", "--database", database,
                                "--dsn", dsn.public(), database=dsn)  # fmt: skip

    def apply(self, database: str = "shop") -> str:
        done = self.policy("apply", database)
        if done.returncode != 0:
            raise HarnessError(f"policy apply: {done.stderr}{done.stdout}")
        return done.stdout

    def raise_walls(self) -> None:
        for database in DATABASES:
            if self.native:
                psql(self.admin(database), "CREATE EXTENSION postern_guard").checked()
            self.apply(database)

    def add_key(self, key: Key) -> None:
        """Makes a further key valid, in the way of this form."""
        if self.native:
            self.write_keys(self.key, key)
            self.reload()
            return
        inner, outer = key.blocks()
        psql(self.admin(), f"INSERT INTO postern.context_key (kid, inner_block, outer_block) VALUES"
                           f" ('{key.kid}', '\\x{inner}', '\\x{outer}')").checked()  # fmt: skip

    def reload(self) -> None:
        self.server.scalar("SELECT pg_reload_conf()")

    # --- who talks ------------------------------------------------------------------------------

    def admin(self, database: str = "shop") -> Dsn:
        return self.server.superuser.to(dbname=database)

    def login(self, role: str = APP, database: str = "shop") -> Dsn:
        return self.admin(database).to(user=role, password="secret")


def settings_for_workers() -> Mapping[str, str]:
    """Whatever may run in workers does."""
    return {
        "force_parallel_mode": "on",
        "parallel_setup_cost": "0",
        "parallel_tuple_cost": "0",
        "min_parallel_table_scan_size": "0",
        "min_parallel_index_scan_size": "0",
        "max_parallel_workers_per_gather": "4",
    }
