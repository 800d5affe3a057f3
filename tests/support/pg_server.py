"""A throw-away PostgreSQL 15 server: a primary made by initdb, or a streaming replica of one."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import psycopg

from managed_process import LogFile, ManagedProcess
from psql_client import Dsn, connect, scalar
from scratch import HarnessError, Scratch, free_port, wait_until

PG_BIN = Path("/usr/lib/postgresql/15/bin")
PORT_ATTEMPTS = 5

# Small and fast: nothing here needs to survive a power cut.
BASE_SETTINGS: dict[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "hot_standby": "on",
    "max_wal_senders": "8",
    "max_replication_slots": "8",
    "max_connections": "100",
    "shared_buffers": "24MB",
    "fsync": "off",
    "synchronous_commit": "on",
    "full_page_writes": "off",
    "autovacuum_naptime": "60s",
    "password_encryption": "scram-sha-256",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] db=%d user=%u app=%a ",
    "lc_messages": "C",
}


class PgServer:
    """One running server. `superuser` is the Dsn of its bootstrap superuser."""

    programs = PG_BIN

    def __init__(
        self, scratch: Scratch, name: str, password: str, settings: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.data = scratch.folder(name, 0o700)
        self.port = 0
        self._scratch = scratch
        self._password = password
        self._settings = {**BASE_SETTINGS, **(settings or {})}
        self._process: ManagedProcess | None = None

    @property
    def superuser(self) -> Dsn:
        return Dsn(self.port, "postgres", self._password)

    @property
    def process(self) -> ManagedProcess:
        if self._process is None:
            raise HarnessError(f"{self.name} was not started")
        return self._process

    @property
    def log(self) -> LogFile:
        return self.process.log

    def initdb(self) -> None:
        """Makes the data folder: UTF8, C locale, checksums, SCRAM for everyone."""
        secret = self._scratch.write(self._scratch.path / f"{self.name}.pw", self._password + "\n")
        self._tool(
            "initdb", "-D", self.data, "-U", "postgres", "-A", "scram-sha-256",
            f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-k",
        )  # fmt: skip
        secret.unlink()

    def base_backup_of(self, primary: PgServer, slot: str) -> None:
        """Makes the data folder as a copy of a running primary that streams through `slot`."""
        login = primary.superuser.to(application=self.name)
        self._tool(
            "pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-C", "-S", slot,
            "--checkpoint=fast", "--no-sync", env=login.environment(),
        )  # fmt: skip

    def _tool(self, tool: str, *argv: str | Path, env: dict[str, str] | None = None) -> None:
        done = self._scratch.run([self.programs / tool, *argv], env=env, timeout=120)
        if done.returncode != 0:
            raise HarnessError(f"{tool} failed: {done.stderr.strip()}")

    def start(self) -> None:
        """Starts on a free port; another one when somebody was faster."""
        for attempt in range(PORT_ATTEMPTS):
            self.port = self.port or free_port()
            try:
                self._start_on(self.port)
                return
            except HarnessError:
                in_use = "Address already in use" in self.log.tail()
                if not in_use or attempt == PORT_ATTEMPTS - 1:
                    raise
                self.port = 0

    def _start_on(self, port: int) -> None:
        argv: list[str | Path] = [self.programs / "postgres", "-D", self.data, "-p", str(port)]
        for key, value in self._settings.items():
            argv += ["-c", f"{key}={value}"]
        # SIGINT is PostgreSQL's fast shutdown.
        self._process = ManagedProcess(
            self.name, self._scratch, argv, cwd=self.data, stop_signal=signal.SIGINT
        )
        self._process.start(self.answers)

    def answers(self) -> bool:
        """Whether a login and a query succeed."""
        try:
            with connect(self.superuser) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    def scalar(self, sql: str, dbname: str = "postgres") -> str:
        """One value, asked directly as superuser."""
        return scalar(self.superuser.to(dbname=dbname), sql)

    def log_statements(self, which: str = "all") -> None:
        """Sets log_statement from now on (none, ddl, mod, all); new backends see it at once."""
        self.scalar(f"ALTER SYSTEM SET log_statement = '{which}'")
        self.scalar("SELECT pg_reload_conf()")
        wait_until(lambda: self.scalar("SHOW log_statement") == which, "log_statement to apply")

    def pause_replay(self) -> None:
        """A replica stops applying WAL (it goes on receiving)."""
        self.scalar("SELECT pg_wal_replay_pause()")
        wait_until(
            lambda: self.scalar("SELECT pg_get_wal_replay_pause_state()") == "paused",
            f"{self.name} to pause its replay",
        )

    def resume_replay(self) -> None:
        self.scalar("SELECT pg_wal_replay_resume()")

    def wait_for_replay_of(self, primary: PgServer, timeout: float = 30) -> None:
        """Returns once this replica has applied all that the primary has written by now."""
        target = primary.scalar("SELECT pg_current_wal_insert_lsn()")
        reached = f"SELECT pg_last_wal_replay_lsn() >= '{target}'"
        # The insert position may lie on the first byte behind a page header; flushing evens it out.
        primary.scalar("SELECT pg_logical_emit_message(true, 'harness', '')")
        wait_until(lambda: self.scalar(reached) == "t", f"{self.name} to catch up", timeout)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop(timeout=30)

    def kill(self) -> None:
        """kill -9 of the postmaster; its backends notice and end by themselves."""
        self.process.kill()
