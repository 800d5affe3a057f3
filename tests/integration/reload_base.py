"""Fixture of the tests of a reload: each has a Postern of its own, whose files it changes."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable

import psycopg

from psql_client import Dsn, connect
from relay_base import CLIENT, DATABASE, RelayTest
from scratch import wait_until

PID = "SELECT pg_backend_pid()"


class ReloadBase(RelayTest):
    """Each test has a Postern of its own, whose configuration it changes."""

    def setUp(self) -> None:
        super().setUp()
        self.own = self.add_postern("reload-" + secrets.token_hex(3))
        self.own.start(self.toml)
        self.addCleanup(self.own.stop)
        self.text = self.own.config.read_text()
        self.reloads = 0

    def dsn(self, **changes: object) -> Dsn:
        dsn = self.own.login(CLIENT, self.passwords[CLIENT], DATABASE, "reload")
        return dsn.to(sslmode="disable").to(**changes)

    def open(self, **changes: object) -> psycopg.Connection[tuple]:
        connection = connect(self.dsn(**changes))
        self.addCleanup(connection.close)
        return connection

    def pid(self, connection: psycopg.Connection[tuple]) -> int:
        row = connection.execute(PID).fetchone()
        assert row is not None
        return row[0]

    def lines(self, event: str) -> list[str]:
        return [line for line in self.own.log.since().splitlines() if f" {event} " in line]

    def hup(self, event: str = "reloaded") -> str:
        """Sends SIGHUP and waits for the line that ends the reload."""
        before = len(self.lines(event))
        os.kill(self.own.process.pid, signal.SIGHUP)
        wait_until(lambda: len(self.lines(event)) > before, f"a line {event}")
        return self.lines(event)[-1]

    def reload(self, change: Callable[[str], str]) -> str:
        """Changes the file and reloads; the line that counts the changes."""
        self.text = change(self.text)
        self.own.write("postern.toml", self.text)
        return self.hup()

    def changed(self) -> str:
        return "\n".join(self.lines("reload_change"))

    def assert_ended(self, connection: psycopg.Connection[tuple], reason: str) -> None:
        """The session was ended for this reason."""
        with self.assertRaises(psycopg.OperationalError):
            for _ in range(50):
                connection.execute("SELECT 1")
                time.sleep(0.05)
        # libpq keeps what a FATAL said only where nothing came before it.
        ended = self.lines("session_failed")[-1]
        self.assertIn("because the configuration changed: " + reason, ended)
