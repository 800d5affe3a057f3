"""How each driver's program is built and started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from postern_server import REPOSITORY
from scratch import HarnessError

CLIENTS = Path(__file__).resolve().parent / "clients"
NODE = Path(__file__).resolve().parent / "node"
# Made once and kept: compilers and npm are slow.
BUILD = REPOSITORY / "build" / "drivers"
JDBC = "/usr/share/java/postgresql.jar"
GO_ENVIRONMENT = {
    "GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOTOOLCHAIN": "local",
}  # fmt: skip


@dataclass(frozen=True)
class Driver:
    """`prepare` builds the program and returns its command line."""

    name: str
    prepare: Callable[[], Sequence[str | Path]]


def _tool(argv: Sequence[str | Path], env: dict[str, str] | None = None) -> None:
    """Runs a compiler or installer; HarnessError with its words when it fails or is missing."""
    try:
        done = subprocess.run(
            [str(part) for part in argv], env={**os.environ, **(env or {})}, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise HarnessError(f"{argv[0]} is not installed: run ./dev deps drivers") from error
    if done.returncode != 0:
        raise HarnessError(f"{Path(argv[0]).name} failed: {(done.stderr + done.stdout)[-2000:]}")


def _newer(made: Path, source: Path) -> bool:
    return made.exists() and made.stat().st_mtime > source.stat().st_mtime


def _python(name: str) -> Callable[[], Sequence[str | Path]]:
    return lambda: [sys.executable, CLIENTS / f"{name}_client.py"]


def _script(interpreter: str, name: str) -> Callable[[], Sequence[str | Path]]:
    def prepare() -> Sequence[str | Path]:
        found = shutil.which(interpreter)
        if found is None:
            raise HarnessError(f"{interpreter} is not installed: run ./dev deps drivers")
        return [found, CLIENTS / name]

    return prepare


def _c() -> Sequence[str | Path]:
    program = BUILD / "libpq_client"
    sources = sorted(CLIENTS.glob("libpq*.c"))
    newest = max([*sources, *CLIENTS.glob("libpq*.h")], key=lambda path: path.stat().st_mtime)
    if not _newer(program, newest):
        BUILD.mkdir(parents=True, exist_ok=True)
        _tool(["gcc", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-I/usr/include/postgresql",
               *sources, "-o", program, "-lpq", "-lpthread"])  # fmt: skip
    return [program]


def _java() -> Sequence[str | Path]:
    folder = BUILD / "java"
    source = CLIENTS / "PgjdbcClient.java"
    if not _newer(folder / "PgjdbcClient.class", source):
        folder.mkdir(parents=True, exist_ok=True)
        _tool(["javac", "-Xlint:all", "-Werror", "-cp", JDBC, "-d", folder, source])
    return ["java", "-Xmx512m", "-cp", f"{folder}:{JDBC}", "PgjdbcClient"]


def _go(name: str) -> Callable[[], Sequence[str | Path]]:
    def prepare() -> Sequence[str | Path]:
        program = BUILD / f"{name}_client"
        # Files of one package have to share a folder.
        sources = BUILD / "go" / name
        sources.mkdir(parents=True, exist_ok=True)
        for source in (CLIENTS / "go_report.go", CLIENTS / name / "main.go"):
            shutil.copy2(source, sources / source.name)
        newest = max(sources.glob("*.go"), key=lambda path: path.stat().st_mtime)
        if not _newer(program, newest):
            env = {**GO_ENVIRONMENT, "GOCACHE": str(BUILD / "go-cache")}
            _tool(["go", "build", "-o", program, *sorted(sources.glob("*.go"))], env)
        return [program]

    return prepare


def _node(name: str) -> Callable[[], Sequence[str | Path]]:
    def prepare() -> Sequence[str | Path]:
        folder = BUILD / "node"
        folder.mkdir(parents=True, exist_ok=True)
        lock = folder / "package-lock.json"
        wanted = NODE / "package-lock.json"
        if not lock.exists() or lock.read_bytes() != wanted.read_bytes():
            shutil.copyfile(NODE / "package.json", folder / "package.json")
            shutil.copyfile(wanted, folder / "new-lock.json")
            (folder / "new-lock.json").rename(lock)
            try:
                _tool(["npm", "ci", "--prefix", folder, "--ignore-scripts", "--no-audit"])
            except HarnessError:
                lock.unlink()
                raise
        for script in CLIENTS.glob("*.mjs"):
            shutil.copyfile(script, folder / script.name)
        return ["node", folder / name]

    return prepare


DRIVERS = [
    Driver("psql", _python("psql")),
    Driver("libpq", _c),
    Driver("psycopg2", _python("psycopg2")),
    Driver("psycopg3", _python("psycopg3")),
    Driver("asyncpg", _python("asyncpg")),
    Driver("pgjdbc", _java),
    Driver("ruby-pg", _script("ruby", "ruby_pg_client.rb")),
    Driver("DBD-Pg", _script("perl", "dbd_pg_client.pl")),
    Driver("php-pgsql", _script("php", "php_pgsql_client.php")),
    Driver("php-pdo", _script("php", "php_pdo_client.php")),
    Driver("node-postgres", _node("node_postgres_client.mjs")),
    Driver("postgres.js", _node("postgres_js_client.mjs")),
    Driver("lib-pq", _go("lib_pq")),
    Driver("pgx", _go("pgx")),
]
