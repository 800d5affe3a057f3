"""Who leaves, and when: clients with a goodbye or without, in the queue, and dying servers."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable

from postern_server import Ports
from psql_client import connect, rows
from relay_base import APP, DATABASE, POOL_TIMEOUT_SECONDS, RelayTest
from scratch import HarnessError, wait_until
from wire import FLUSH, SYNC, Wire, bind, execute, message, parse, query, session

TERMINATE = message("X")


class LeavingTest(RelayTest):
    """"narrow" has one server connection; "shared" the same for transactions."""

    @classmethod
    def toml(cls, ports: Ports) -> str:
        return super().toml(ports) + (
            f'[database.shared]\ncluster = "main"\nupstream = "{DATABASE}"\nuser = "{APP}"\n'
            'password_file = "app.password"\npool_mode = "transaction"\npool_size = 1\n'
        )

    @classmethod
    def boot(cls) -> None:
        super().boot()
        for name in ("narrow", DATABASE):
            with connect(cls.cluster.primary.superuser.to(dbname=name)) as owner:
                owner.execute("CREATE TABLE done (what text)")
                owner.execute(f"ALTER TABLE done OWNER TO {APP}")

    def done(self, dbname: str, what: str) -> bool:
        there = self.cluster.primary.superuser.to(dbname=dbname)
        return bool(rows(there, f"SELECT 1 FROM done WHERE what = '{what}'"))

    def waiting(self) -> int:
        url = f"http://127.0.0.1:{self.postern.ports.admin}/metrics"
        with urllib.request.urlopen(url, timeout=5) as page:
            lines = page.read().decode().splitlines()
        return sum(int(float(line.split()[-1])) for line in lines
                   if line.startswith("postern_pool_waiting{"))  # fmt: skip

    # --- goodbye ------------------------------------------------------------------------------

    def test_what_stands_before_a_goodbye_is_carried_out(self) -> None:
        for dbname, upstream in (("narrow", "narrow"), ("shared", DATABASE)):
            for kind in ("simple", "extended"):
                what = f"{dbname} {kind}"
                insert = f"INSERT INTO done SELECT '{what}' FROM pg_sleep(1)"
                text = (query(insert),) if kind == "simple" else (
                    parse(insert), bind(), execute(), SYNC)  # fmt: skip
                with session(self.client(dbname=dbname)) as wire:
                    wire.send(*text, TERMINATE)
                wait_until(lambda: self.done(upstream, what), what, 5)  # noqa: B023
                with connect(self.client(dbname=dbname)) as after:
                    self.assertEqual(after.execute("SELECT 1").fetchone(), (1,))

    def test_answers_come_before_the_end(self) -> None:
        with session(self.client()) as wire:
            wire.send(query("SELECT 1"), query("SELECT pg_sleep(0.3)"), TERMINATE)
            self.assertEqual("".join(m.type for m in wire.until_end()), "TDCZTDCZ")

    def test_a_lost_client_is_cancelled(self) -> None:
        with session(self.client(dbname="narrow")) as wire:
            wire.send(query("INSERT INTO done SELECT 'lost' FROM pg_sleep(2)"))
            time.sleep(0.3)
        time.sleep(2.5)
        self.assertFalse(self.done("narrow", "lost"))

    def test_a_goodbye_amid_a_copy_or_a_batch_without_sync_ends_it(self) -> None:
        for texts in ((query("COPY done FROM STDIN"),),
                      (parse("SELECT pg_sleep(60)"), bind(), execute(), FLUSH)):  # fmt: skip
            with session(self.client(dbname="narrow")) as wire:
                wire.send(*texts)
                time.sleep(0.3)
                wire.send(TERMINATE)
            with connect(self.client(dbname="narrow")) as after:
                self.assertEqual(after.execute("SELECT 1").fetchone(), (1,))

    # --- the queue ----------------------------------------------------------------------------

    def leaves_queue(self, leave: Callable[[Wire], None], *texts: bytes) -> None:
        """While one client holds the only connection, another one waits for it and goes."""
        holder = self.connect(self.client(dbname="shared"))
        with session(self.client(dbname="shared")) as wire:
            holder.execute("BEGIN")
            wire.send(*texts)
            wait_until(lambda: self.waiting() == 1, "a client in the queue", 1)
            leave(wire)
            wait_until(lambda: self.waiting() == 0, "the queue to be empty",
                       POOL_TIMEOUT_SECONDS / 2)  # fmt: skip
        holder.execute("ROLLBACK")
        holder.close()

    def test_who_closes_leaves_the_queue(self) -> None:
        self.leaves_queue(lambda wire: wire.socket.close(), query("INSERT INTO done VALUES ('q')"))

        def politely(wire: Wire) -> None:
            wire.send(TERMINATE)
            wire.socket.close()

        self.leaves_queue(politely, query("INSERT INTO done VALUES ('q')"), query("SELECT 1"))
        time.sleep(0.3)
        self.assertFalse(self.done(DATABASE, "q"))

    def test_a_goodbye_with_its_statement_waits_for_its_turn(self) -> None:
        with self.assertRaises(HarnessError):
            self.leaves_queue(
                lambda wire: wire.socket.close(),
                query("INSERT INTO done VALUES ('in turn')"), TERMINATE,
            )  # fmt: skip
        self.doCleanups()
        wait_until(lambda: self.done(DATABASE, "in turn"), "the statement", 3)

    # --- the server ---------------------------------------------------------------------------

    def test_server_that_dies_amid_a_row(self) -> None:
        big = "SELECT repeat('x', 200000000), pg_backend_pid()"
        for dbname in ("narrow", "shared"):
            with session(self.client(dbname=dbname)) as wire:
                pid = wire.ask(query("SELECT pg_backend_pid()"))[1].values()[0]
                assert pid is not None
                wire.send(query(big))
                head = wire.socket.recv(100_000)
                self.assertTrue(head.startswith(b"T"))
                # The row is on its way, and nobody reads it.
                time.sleep(1)
                self.cluster.primary.scalar(f"SELECT pg_terminate_backend({pid.decode()})")
                rest = 0
                while got := self.receive(wire):
                    rest += len(got)
                # What is missing of the row is not made up: the connection ends.
                self.assertLess(rest, 200_000_000)
            with connect(self.client(dbname=dbname)) as after:
                self.assertEqual(after.execute("SELECT 2").fetchone(), (2,))

    def receive(self, wire: Wire) -> bytes:
        try:
            return wire.socket.recv(1 << 20)
        except ConnectionError:
            return b""

    def test_server_that_dies_between_rows(self) -> None:
        rows_of = "SELECT n, pg_sleep(0.2) FROM generate_series(1, 100) n"
        for dbname in ("narrow", "shared"):
            with session(self.client(dbname=dbname)) as wire:
                pid = wire.ask(query("SELECT pg_backend_pid()"))[1].values()[0]
                assert pid is not None
                end = f"SELECT pg_terminate_backend({pid.decode()})"
                wire.send(query(rows_of))
                time.sleep(0.5)
                self.cluster.primary.scalar(end)
                told = wire.until_end()
                self.assertEqual([m.sqlstate() for m in told if m.type == "E"], ["57P01"])
            with connect(self.client(dbname=dbname)) as after:
                self.assertEqual(after.execute("SELECT 2").fetchone(), (2,))


if __name__ == "__main__":
    import unittest

    unittest.main()
