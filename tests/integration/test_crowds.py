"""Too many clients: who is let in, what the others hear, what still works."""

from __future__ import annotations

import secrets
import select
import socket
import time

import psycopg

from postern_server import Ports, PosternServer
from psql_client import connect
from relay_base import APP, CLIENT, RelayTest
from scratch import HarnessError, wait_until
from wire import SSL_REQUEST, Wire, query, send_cancel, session

ADMIN = "operator"
CLIENTS, LOGINS, RESERVE = 2, 4, 10
LOST = "lost"


class CrowdsTest(RelayTest):
    """Two clients may be logged in, four connections may be about to; an operator."""

    @classmethod
    def add_postern(cls, name: str) -> PosternServer:
        postern = super().add_postern(name)
        cls.passwords[ADMIN] = secrets.token_hex(8)
        postern.write("users.toml", "".join(
            f'[user.{login}]\npassword = "{cls.passwords[login]}"\n' for login in (CLIENT, ADMIN)
        ))
        return postern

    @classmethod
    def toml(cls, ports: Ports) -> str:
        limits = f"[limits]\nmax_clients = {CLIENTS}\nmax_logins = {LOGINS}"
        return super().toml(ports).replace("[limits]", limits) + (
            f'[admin]\nadmin_users = ["{ADMIN}"]\n'
            f'[cluster.{LOST}]\nnodes = ["nowhere.invalid:5432"]\nconnect_timeout = "3s"\n'
            f'[database.{LOST}]\ncluster = "{LOST}"\nuser = "{APP}"\n'
            'password_file = "app.password"\n'
        )

    def full(self) -> list[Wire]:
        """All places are taken."""
        return [self.place() for _ in range(CLIENTS)]

    def place(self) -> Wire:
        """A session, as soon as who left before has given its place back."""
        found: list[Wire] = []

        def try_one() -> bool:
            try:
                found.append(session(self.client()))
            except (HarnessError, OSError):
                return False
            return True

        wait_until(try_one, "a place")
        self.addCleanup(found[0].close)
        return found[0]

    def console(self) -> psycopg.Connection[tuple]:
        login = self.postern.login(ADMIN, self.passwords[ADMIN], "postern", "console")
        connection = connect(login.to(sslmode="disable"), autocommit=True)
        self.addCleanup(connection.close)
        return connection

    def refused(self, **changes: object) -> str:
        with self.assertRaises(psycopg.OperationalError) as caught:
            connect(self.client(**changes)).close()
        return str(caught.exception)

    def logged(self, code: str) -> int:
        lines = self.postern.log.since().splitlines()
        return len([line for line in lines if "client_refused" in line and code in line])

    def test_one_too_many_hears_it_over_tls_and_without(self) -> None:
        self.full()
        for mode in ("require", "prefer", "disable"):
            with self.subTest(mode):
                self.assertIn("too many clients", self.refused(sslmode=mode))
        # The request for TLS has its own answer, whoever asks.
        with Wire(self.postern.ports.clients) as wire:
            wire.send(SSL_REQUEST)
            self.assertEqual(wire.socket.recv(1), b"S")
        with Wire(self.postern.ports.clients) as wire:
            got = wire.login(self.client())
            self.assertEqual([(m.type, m.sqlstate()) for m in got], [("E", "53300")])
            self.assertEqual(wire.until_end(), [])

    def test_a_place_is_free_again(self) -> None:
        first, _ = self.full()
        self.assertIn("too many clients", self.refused())
        first.close()
        self.place()

    def test_refusals_are_logged_a_line_a_second(self) -> None:
        self.full()
        time.sleep(1.1)
        before, began = self.logged("PST-1309"), time.monotonic()
        for _ in range(10):
            self.refused()
        lines = self.logged("PST-1309") - before
        self.assertGreaterEqual(lines, 1)
        self.assertLessEqual(lines, 2 + int(time.monotonic() - began))
        line = [text for text in self.postern.log.since().splitlines() if "PST-1309" in text][-1]
        self.assertRegex(line, r"clients=\"?2\b")

    def test_cancel_requests_are_served(self) -> None:
        wire, _ = self.full()
        wire.send(query("SELECT pg_sleep(30)"))
        self.wait_for_active(1)
        send_cancel(self.postern.ports.clients, wire.key[0], wire.secret)
        got = wire.until_ready()
        self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["57014"])

    def test_the_console_has_places_of_its_own(self) -> None:
        self.full()
        consoles = [self.console() for _ in range(RESERVE)]
        self.assertTrue(consoles[-1].execute("SHOW VERSION", prepare=False).fetchall())
        with self.assertRaises(psycopg.OperationalError) as caught:
            self.console()
        self.assertIn("too many clients", str(caught.exception))
        # The operator elsewhere, and others on the console, are clients as any.
        self.assertIn("too many", self.refused(user=ADMIN, password=self.passwords[ADMIN]))
        self.assertIn("too many", self.refused(dbname="postern"))

    def silent(self, count: int) -> list[socket.socket]:
        """Connections that say nothing."""
        address = ("127.0.0.1", self.postern.ports.clients)
        found = [socket.create_connection(address, timeout=5) for _ in range(count)]
        for one in found:
            self.addCleanup(one.close)
        time.sleep(0.2)
        return found

    def test_connections_that_do_not_log_in_have_a_limit_of_their_own(self) -> None:
        running = self.place()
        running.send(query("SELECT pg_sleep(30)"))
        self.wait_for_active(1)
        silent = self.silent(LOGINS - 1)
        self.place().close()
        silent += self.silent(1)
        self.assertIn("too many clients are logging in", self.refused(sslmode="require"))
        self.assertEqual(self.logged("PST-1314") > 0, True)
        send_cancel(self.postern.ports.clients, running.key[0], running.secret)
        got = running.until_ready()
        self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["57014"])
        self.assertTrue(self.console().execute("SHOW VERSION", prepare=False).fetchall())
        for one in silent:
            one.close()
        running.close()  # the console has the other place
        self.place()

    def test_beyond_twice_that_nothing_is_read(self) -> None:
        self.place().close()
        time.sleep(0.3)  # until it is gone
        silent = self.silent(2 * LOGINS + 1)
        # Less than any other end of theirs. Workers take them in an order of their own.
        ended, _, _ = select.select(silent, [], [], 0.5)
        self.assertEqual([one.recv(1) for one in ended], [b""])
        for one in silent:
            one.close()
        self.place()

    # --- names and halves -------------------------------------------------------------------------

    def test_name_that_does_not_resolve(self) -> None:
        self.place().close()
        with Wire(self.postern.ports.clients) as wire:
            got = wire.login(self.client(dbname=LOST))
            errors = [m for m in got if m.type == "E"]
            self.assertEqual([m.sqlstate() for m in errors], ["08001"])
            self.assertIn("PST-2313", errors[0].fields()["D"])
            self.assertEqual(wire.until_end(), [])
        lines = [line for line in self.postern.log.since().splitlines() if "nowhere" in line]
        self.assertTrue(lines)
        self.assertRegex(lines[-1], r"PST-\d{4}")
        self.place()

    def test_half_closed(self) -> None:
        """The client's direction ends: at rest the session does, and so does what it was about."""
        with self.place() as wire:
            wire.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.until_end(), [])
        with Wire(self.postern.ports.clients) as wire:
            wire.send(b"\0\0")
            wire.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.until_end(), [])
        with self.place() as wire:
            wire.send(query("SELECT pg_sleep(30)"))
            self.wait_for_active(1)
            wire.socket.shutdown(socket.SHUT_WR)
            wait_until(lambda: not self.backends("active"), "the statement to be cancelled", 5)
            wire.until_end()
        self.place()

    def test_half_closed_behind_a_farewell(self) -> None:
        with self.place() as wire:
            wire.send(query("SELECT pg_sleep(0.5), 7"), b"X\0\0\0\4")
            wire.socket.shutdown(socket.SHUT_WR)
            got = wire.until_end()
            self.assertEqual([m.values()[1] for m in got if m.type == "D"], [b"7"])
