"""Postern under test: its folder, its command line, its serving process."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from managed_process import LogFile, ManagedProcess
from psql_client import Dsn
from scratch import HarnessError, Scratch, free_port

PORT_ATTEMPTS = 3
REPOSITORY = Path(__file__).resolve().parents[2]
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass(frozen=True)
class Ports:
    """The ports a configuration may use: for clients, and for /metrics and health."""

    clients: int
    admin: int


def postern_binary() -> Path:
    """The program to test: $POSTERN_BINARY, or the release build, or the development build."""
    named = os.environ.get("POSTERN_BINARY")
    if named:
        return Path(named)
    for preset in ("release", "dev"):
        path = REPOSITORY / "build" / preset / "postern"
        if path.exists():
            return path
    raise HarnessError("no postern program: run ./dev build release first")


def speaks_postgres(port: int) -> bool:
    """Whether the listener answers an SSLRequest as a PostgreSQL server does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
            probe.sendall(_SSL_REQUEST)
            return probe.recv(1) in (b"S", b"N")
    except OSError:
        return False


class PosternServer:
    """A folder with a copy of the program and its files, all owned by the service account.

    The servers' account may not be able to read a private checkout, hence the copy.
    """

    def __init__(self, scratch: Scratch, binary: Path | None = None, name: str = "postern") -> None:
        self.name = name
        self.folder = scratch.folder(name)
        self.config = self.folder / "postern.toml"
        self.ports = Ports(free_port(), free_port())
        self._scratch = scratch
        self._binary = self.folder / "postern"
        shutil.copyfile(binary or postern_binary(), self._binary)
        self._binary.chmod(0o755)
        self.under: tuple[str, ...] = ()  # what the serving process runs under: a profiler
        self._process: ManagedProcess | None = None

    @property
    def process(self) -> ManagedProcess:
        if self._process is None:
            raise HarnessError(f"{self.name} was not started")
        return self._process

    @property
    def log(self) -> LogFile:
        return LogFile(self._scratch.path / f"{self.name}.log")

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """A file beside the configuration."""
        return self._scratch.write(self.folder / name, text, mode)

    def configure(self, render: Callable[[Ports], str]) -> None:
        """Writes postern.toml for the ports held now."""
        self.write("postern.toml", render(self.ports))

    def cli(
        self, *argv: str | Path, database: Dsn | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a subcommand in the folder, as the account that serves.

        `database` is where libpq finds the password for a --dsn that names none.
        """
        env = database.environment() if database else None
        return self._scratch.run([self._binary, *argv], cwd=self.folder, env=env, timeout=120)

    def cli_checked(self, *argv: str | Path, database: Dsn | None = None) -> str:
        """The standard output of a subcommand that must succeed."""
        done = self.cli(*argv, database=database)
        if done.returncode != 0:
            command = " ".join(str(part) for part in argv[:2])
            said = (done.stderr + done.stdout).strip()
            raise HarnessError(f"postern {command} ended with {done.returncode}: {said}")
        return done.stdout

    def start(self, render: Callable[[Ports], str]) -> None:
        """Serves the rendered configuration; takes other ports when these were just taken."""
        for attempt in range(PORT_ATTEMPTS):
            self.configure(render)
            try:
                self._serve()
                return
            except HarnessError:
                if "in use" not in self.log.tail() or attempt == PORT_ATTEMPTS - 1:
                    raise
                self.ports = Ports(free_port(), free_port())

    def _serve(self) -> None:
        argv = [*self.under, self._binary, "serve", "-c", self.config]
        self._process = ManagedProcess(self.name, self._scratch, argv, cwd=self.folder)
        self._process.start(lambda: speaks_postgres(self.ports.clients))

    def login(self, user: str, password: str, dbname: str, application: str) -> Dsn:
        """A client's connection through the proxy."""
        return Dsn(self.ports.clients, user, password, dbname, application=application)

    def stop(self) -> int | None:
        """Asks for a graceful stop; the exit code."""
        return None if self._process is None else self._process.stop()

    def kill(self) -> None:
        self.process.kill()
