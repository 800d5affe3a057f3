"""The end of a process: what may finish, what is cut off, and a successor on the same port."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time

import psycopg

from postern_server import Ports, PosternServer
from psql_client import Dsn, connect
from relay_base import CLIENT, DATABASE, RelayTest
from scratch import wait_until

PATIENCE_SECONDS = 1.0


class StopTest(RelayTest):
    def own(self) -> PosternServer:
        postern = self.add_postern("stop-" + secrets.token_hex(3))
        postern.start(self.toml)
        self.addCleanup(postern.stop)
        return postern

    def dsn(self, postern: PosternServer) -> Dsn:
        return postern.login(CLIENT, self.passwords[CLIENT], DATABASE, "stop").to(sslmode="disable")

    def test_transaction_may_finish_and_then_the_session_ends(self) -> None:
        postern = self.own()
        busy = connect(self.dsn(postern), autocommit=False)
        self.addCleanup(busy.close)
        busy.execute("CREATE TEMP TABLE t (n int)")
        idle = connect(self.dsn(postern))
        self.addCleanup(idle.close)
        os.kill(postern.process.pid, signal.SIGTERM)
        wait_until(lambda: "stopping" in postern.log.since(), "the stop to begin")
        with self.assertRaises(psycopg.OperationalError):
            for _ in range(20):
                idle.execute("SELECT 1")
                time.sleep(0.05)
        time.sleep(0.5)
        busy.execute("INSERT INTO t VALUES (1)")
        self.assertEqual(busy.execute("SELECT count(*) FROM t").fetchone(), (1,))
        busy.commit()
        wait_until(lambda: postern.process.exit_code() is not None, "the end of the process")
        self.assertEqual(postern.process.exit_code(), 0)

    def test_no_connection_is_taken_any_more(self) -> None:
        postern = self.own()
        busy = connect(self.dsn(postern), autocommit=False)
        self.addCleanup(busy.close)
        busy.execute("SELECT 1")
        os.kill(postern.process.pid, signal.SIGTERM)

        def refused() -> bool:
            try:
                socket.create_connection(("127.0.0.1", postern.ports.clients), timeout=1).close()
            except OSError:
                return True
            return False

        wait_until(refused, "that the port is closed")
        self.assertEqual(busy.execute("SELECT 2").fetchone(), (2,))

    def test_second_signal_ends_at_once_and_a_hangup_does_not(self) -> None:
        postern = self.own()
        busy = connect(self.dsn(postern), autocommit=False)
        self.addCleanup(busy.close)
        busy.execute("SELECT 1")
        os.kill(postern.process.pid, signal.SIGTERM)
        wait_until(lambda: "stopping" in postern.log.since(), "the stop to begin")
        os.kill(postern.process.pid, signal.SIGHUP)
        time.sleep(0.3)
        self.assertTrue(postern.process.running())
        begun = time.monotonic()
        os.kill(postern.process.pid, signal.SIGINT)
        wait_until(lambda: not postern.process.running(), "the end of the process")
        self.assertLess(time.monotonic() - begun, 2.0)
        with self.assertRaises(psycopg.OperationalError):
            busy.execute("SELECT 2")

    def test_transaction_that_does_not_end_is_cut_off(self) -> None:
        postern = self.own()
        busy = connect(self.dsn(postern), autocommit=False)
        self.addCleanup(busy.close)
        busy.execute("SELECT 1")
        begun = time.monotonic()
        os.kill(postern.process.pid, signal.SIGTERM)
        wait_until(lambda: not postern.process.running(), "the end of the process")
        self.assertGreater(time.monotonic() - begun, 4.5)


class RollingTest(RelayTest):
    """Two processes on one port (so_reuseport), one after the other."""

    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.port = cls.postern.ports.clients
        cls.postern.stop()

    @classmethod
    def toml(cls, ports: Ports) -> str:
        return super().toml(ports).replace("[listen]", "[listen]\nso_reuseport = true", 1)

    def serve(self) -> PosternServer:
        postern = self.add_postern("rolling-" + secrets.token_hex(3))
        postern.ports = Ports(self.port, postern.ports.admin)
        # The port answers already: it serves once its own log says so.
        postern.configure(self.toml)
        postern._serve()  # noqa: SLF001
        wait_until(lambda: " serving " in postern.log.since(), "the successor to serve")
        self.addCleanup(postern.stop)
        return postern

    def wait_for_end(self, postern: PosternServer) -> None:
        wait_until(lambda: not postern.process.running(), "the end of the process")
        self.assertEqual(postern.process.exit_code(), 0)

    def test_clients_that_reconnect_see_no_failure(self) -> None:
        present = self.serve()
        dsn = present.login(CLIENT, self.passwords[CLIENT], DATABASE, "rolling")
        done = threading.Event()
        failures: list[str] = []
        counts = [0] * 4

        def client(number: int) -> None:
            while not done.is_set():
                try:
                    with connect(dsn.to(sslmode="disable")) as connection:
                        connection.execute("SELECT pg_sleep(0.002)")
                    counts[number] += 1
                except psycopg.Error as error:
                    failures.append(f"{time.monotonic():.3f} {error}")

        threads = [threading.Thread(target=client, args=(i,)) for i in range(len(counts))]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                before = sum(counts)
                wait_until(lambda: sum(counts) > before + 40, "statements")  # noqa: B023
                successor = self.serve()
                os.kill(present.process.pid, signal.SIGTERM)
                self.wait_for_end(present)
                present = successor
            before = sum(counts)
            wait_until(lambda: sum(counts) > before + 40, "statements")
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])

    def test_client_that_stays_is_told_once_it_is_quiet(self) -> None:
        postern = self.serve()
        kept = connect(postern.login(CLIENT, self.passwords[CLIENT], DATABASE, "rolling"))
        self.addCleanup(kept.close)
        begun = time.monotonic()
        os.kill(postern.process.pid, signal.SIGTERM)
        while time.monotonic() - begun < 2 * PATIENCE_SECONDS:
            self.assertEqual(kept.execute("SELECT 1").fetchone(), (1,))
            time.sleep(0.1)
        wait_until(lambda: not postern.process.running(), "the end of the process")
        with self.assertRaises(psycopg.OperationalError):
            kept.execute("SELECT 1")

    def test_without_the_key_the_port_is_taken(self) -> None:
        self.serve()
        alone = self.add_postern("alone-" + secrets.token_hex(3))
        alone.ports = Ports(self.port, alone.ports.admin)
        alone.configure(lambda ports: self.toml(ports).replace("so_reuseport = true\n", ""))
        done = alone.cli("serve", "-c", alone.config)
        self.assertEqual(done.returncode, 3)
        self.assertIn("in use", done.stderr)
