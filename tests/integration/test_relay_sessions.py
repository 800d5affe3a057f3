"""Sessions of the relay: pools, clients and servers that go away, and a graceful stop."""

from __future__ import annotations

import signal
import threading
import time

import psycopg

from postern_server import PosternServer
from psql_client import connect, rows
from relay_base import CLIENT, DATABASE, POOL_TIMEOUT_SECONDS, RelayTest
from scratch import accepts_tcp, wait_until
from wire import Wire, query, session

PID = "SELECT pg_backend_pid()"


class PoolTest(RelayTest):
    def narrow(self) -> psycopg.Connection[tuple]:
        """A client of the pool with one server connection."""
        return self.connect(self.client(dbname="narrow"))

    def pid(self, connection: psycopg.Connection[tuple]) -> int:
        row = connection.execute(PID).fetchone()
        assert row is not None
        return row[0]

    def test_server_connection_is_used_again_and_clean(self) -> None:
        first = self.narrow()
        pid = self.pid(first)
        for statement in (
            "SET work_mem = '7MB'", "SET timezone = 'Asia/Tokyo'",
            "PREPARE kept AS SELECT 1", "LISTEN kept", "SELECT pg_advisory_lock(4711)",
            "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
        ):  # fmt: skip
            first.execute(statement)
        first.close()
        second = self.narrow()
        self.assertEqual(self.pid(second), pid)
        self.assertNotEqual(second.execute("SHOW work_mem").fetchone(), ("7MB",))
        self.assertNotEqual(second.execute("SHOW timezone").fetchone(), ("Asia/Tokyo",))
        for sql in ("SELECT count(*) FROM pg_prepared_statements",
                    "SELECT count(*) FROM pg_listening_channels()",
                    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'",
                    "SELECT count(*) FROM pg_cursors"):  # fmt: skip
            self.assertEqual(second.execute(sql).fetchone(), (0,), sql)
        second.close()

    def test_server_with_a_temporary_schema_is_not_used_again(self) -> None:
        first = self.narrow()
        pid = self.pid(first)
        first.execute("CREATE TEMP TABLE mine (n int)")
        first.close()
        second = self.narrow()
        self.assertNotEqual(self.pid(second), pid)
        self.assertEqual(self.sqlstate(lambda: second.execute("SELECT * FROM mine")), "42P01")
        second.close()

    def test_startup_settings_do_not_reach_the_next_client(self) -> None:
        first = self.connect(self.client(dbname="narrow", options="-c work_mem=9MB"))
        self.assertEqual(first.execute("SHOW work_mem").fetchone(), ("9MB",))
        first.close()
        second = self.narrow()
        self.assertNotEqual(second.execute("SHOW work_mem").fetchone(), ("9MB",))
        second.close()

    def test_open_transaction_is_undone_when_the_client_leaves(self) -> None:
        first = self.narrow()
        first.execute("CREATE TABLE IF NOT EXISTS undone (n int)")
        first.execute("BEGIN; INSERT INTO undone VALUES (1)")
        first.close()
        second = self.narrow()
        self.assertEqual(second.execute("SELECT count(*) FROM undone").fetchone(), (0,))
        self.assertEqual(second.info.transaction_status.name, "IDLE")
        second.close()

    def test_second_client_waits_and_is_served(self) -> None:
        first = self.narrow()
        pid = self.pid(first)
        served: list[int] = []

        def wait() -> None:
            with connect(self.client(dbname="narrow")) as second:
                served.append(self.pid(second))

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.3)
        self.assertEqual(served, [])
        first.close()
        thread.join(5)
        self.assertEqual(served, [pid])

    def test_wait_for_the_pool_ends(self) -> None:
        first = self.narrow()
        self.pid(first)
        started = time.monotonic()

        def wait() -> None:
            with connect(self.client(dbname="narrow")) as second:
                second.execute("SELECT 1")

        with self.assertRaises(psycopg.OperationalError) as caught:
            wait()
        waited = time.monotonic() - started
        said = f"{caught.exception.sqlstate} {caught.exception}"
        self.assertIn("no server connection became free", said)
        self.assertGreater(waited, POOL_TIMEOUT_SECONDS * 0.9)
        self.assertLess(waited, POOL_TIMEOUT_SECONDS + 2)
        self.assertEqual(first.execute("SELECT 1").fetchone(), (1,))
        first.close()
        self._sqlstate_of_a_full_pool()

    def _sqlstate_of_a_full_pool(self) -> None:
        """The SQLSTATE as it is on the wire; libpq does not tell that of a refused login."""
        first = self.narrow()
        self.pid(first)
        with Wire(self.postern.ports.clients) as wire:
            got = wire.login(self.client(dbname="narrow"))
            if got and got[-1].type == "Z":
                got = wire.ask(query("SELECT 1"))
            self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["53300"])
        first.close()

    def test_killed_client_frees_its_server_connection(self) -> None:
        wire = session(self.client(dbname="narrow"))
        pid = wire.ask(query(PID))[1].values()[0]
        wire.send(query("SELECT pg_sleep(30)"))
        self.wait_for_active(1)
        wire.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SOL_SOCKET, SO_LINGER 0: a reset
        wire.close()
        wait_until(lambda: not self.backends("active"), "the statement to be cancelled", 5)
        with connect(self.client(dbname="narrow")) as second:
            self.assertEqual(second.execute("SELECT 1").fetchone(), (1,))
        self.assertIsNotNone(pid)

    def test_cancel_with_a_wrong_key_does_nothing(self) -> None:
        victim = session(self.client())
        self.addCleanup(victim.close)
        victim.send(query("SELECT pg_sleep(0.7), 'slept'"))
        self.wait_for_active(1)
        pid, key = victim.key
        for wrong in ((pid, key ^ 1), (pid + 1, key), (0, 0)):
            with Wire(self.postern.ports.clients) as wire:
                body = b"".join(n.to_bytes(4, "big", signed=True) for n in (16, 80877102, *wrong))
                wire.send(body)
                self.assertEqual(wire.until_end(), [])
        self.assertEqual(victim.until_ready()[1].values()[1], b"slept")

    def test_terminated_backend_ends_its_session_alone(self) -> None:
        victim, other = self.connect(), self.connect()
        pid = self.pid(victim)
        self.cluster.primary.scalar(f"SELECT pg_terminate_backend({pid})")
        with self.assertRaises(psycopg.OperationalError):
            for _ in range(20):
                victim.execute("SELECT 1")
                time.sleep(0.05)
        self.assertEqual(other.execute("SELECT 1").fetchone(), (1,))
        self.assertEqual(self.connect().execute("SELECT 1").fetchone(), (1,))


class EndTest(RelayTest):
    def add_running(self, name: str) -> PosternServer:
        postern = self.add_postern(name)
        self.addCleanup(postern.stop)
        postern.start(self.toml)
        return postern

    def test_graceful_stop(self) -> None:
        postern = self.add_running("leaving")
        dsn = self.client(port=postern.ports.clients)
        idle, busy = session(dsn), session(dsn)
        self.addCleanup(idle.close)
        self.addCleanup(busy.close)
        for sql in ("CREATE TABLE IF NOT EXISTS finished (n int)", "BEGIN",
                    "INSERT INTO finished VALUES (1)"):  # fmt: skip
            busy.ask(query(sql))
        postern.process.signal(signal.SIGTERM)
        self.assertEqual([m.sqlstate() for m in idle.until_end()], ["57P01"])
        wait_until(lambda: not accepts_tcp(postern.ports.clients), "the listener to close", 5)
        self.assertTrue(postern.process.running())
        self.assertEqual(busy.ask(query("SELECT n FROM finished"))[1].values(), [b"1"])
        committed = busy.ask(query("COMMIT"))
        self.assertEqual(committed[0].tag(), "COMMIT")
        wait_until(lambda: not postern.process.running(), "the process to end", 8)
        self.assertEqual(postern.process.exit_code(), 0)
        inserted = rows(self.direct().to(dbname=DATABASE), "SELECT n FROM finished")
        self.assertEqual(inserted, [("1",)])

    def test_stop_does_not_wait_for_ever(self) -> None:
        postern = self.add_running("impatient")
        stuck = session(self.client(port=postern.ports.clients))
        self.addCleanup(stuck.close)
        stuck.ask(query("BEGIN"))
        started = time.monotonic()
        postern.process.signal(signal.SIGTERM)
        wait_until(lambda: not postern.process.running(), "the process to end", 12)
        self.assertEqual(postern.process.exit_code(), 0)
        self.assertGreater(time.monotonic() - started, 4)  # shutdown_timeout is 5 s

    def test_restarted_server(self) -> None:
        old = session(self.client())
        self.addCleanup(old.close)
        old.ask(query("SELECT 1"))
        self.cluster.primary.stop()
        told = old.ask(query("SELECT 1")) if not old.until_end() else []
        self.assertNotIn("Z", "".join(m.type for m in told))
        with Wire(self.postern.ports.clients) as wire:
            got = wire.login(self.client())
            if got and got[-1].type == "Z":
                got = wire.ask(query("SELECT 1"))
            states = [m.sqlstate() for m in got if m.type == "E"]
            self.assertEqual(len(states), 1)
            self.assertIn(states[0][:2], ("08", "57"))
        self.cluster.primary.start()
        wait_until(self._answers, "service after the restart", 10)
        self.assertTrue(self.postern.process.running())

    def _answers(self) -> bool:
        try:
            with connect(self.client()) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    def test_login_that_the_server_refuses(self) -> None:
        """The server's own limit is told to the client, and nothing is left behind."""
        self.cluster.primary.scalar("ALTER ROLE app CONNECTION LIMIT 0")
        try:
            with Wire(self.postern.ports.clients) as wire:
                got = wire.login(self.client(application="limited"))
                if got and got[-1].type == "Z":
                    got = wire.ask(query("SELECT 1"))
                self.assertEqual([m.type for m in got if m.type in "EZ"][:1], ["E"])
        finally:
            self.cluster.primary.scalar("ALTER ROLE app CONNECTION LIMIT -1")
        # The next attempt at a server that refused comes within server_login_retry.
        wait_until(self._answers, "an answer after the limit is gone")
        self.assertIn(CLIENT, self.postern.log.since())
