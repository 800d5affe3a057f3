"""What is written to a client by several at once: answers, notices, farewells, its end."""

from __future__ import annotations

import array
import fcntl
import secrets
import socket
import termios
import time
import urllib.request

from postern_server import Ports, PosternServer
from psql_client import connect, rows
from relay_base import APP, CLIENT, DATABASE, RelayTest
from scratch import wait_until
from wire import Wire, query

ADMIN = "operator"
NOTIFY_SECONDS = 0.3
# A result whose messages come to a little more than the payload, and leave in one write.
PAYLOAD = 2000
FILLER = f"SELECT repeat('x', {PAYLOAD})"
FAREWELL_SECONDS = 5


class UnixWire(Wire):
    """A Wire over a unix socket: its buffers fill the same way every time."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(15)
        self.socket.connect(path)
        self._pending = b""
        self.parameters = {}
        self.key = (0, 0)
        self.secret = b""

    def unread(self) -> int:
        """Bytes that wait in the socket."""
        found = array.array("i", [0])
        fcntl.ioctl(self.socket.fileno(), termios.FIONREAD, found)
        return found[0]


class ClientOutputTest(RelayTest):
    """"shared" has one server connection for everybody; an operator; unix sockets."""

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
        text = super().toml(ports)
        text = text.replace("workers = 2", f'workers = 2\nunix_socket_dir = "{cls.folder()}"')
        notify = f'query_wait_notify = "{int(NOTIFY_SECONDS * 1000)}ms"'
        text = text.replace('pool_timeout = "1500ms"', f'pool_timeout = "30s"\n{notify}')
        return text + (
            f'[admin]\nadmin_users = ["{ADMIN}"]\n'
            f'[database.shared]\ncluster = "main"\nupstream = "{DATABASE}"\nuser = "{APP}"\n'
            'password_file = "app.password"\npool_mode = "transaction"\npool_size = 1\n'
        )

    @classmethod
    def folder(cls) -> str:
        return str(cls.cluster.scratch.folder("client-sockets"))

    def tearDown(self) -> None:
        """Whatever a test did: the process lives, and serves."""
        self.assertTrue(self.postern.process.running())
        with connect(self.client(dbname="shared")) as other:
            self.assertEqual(other.execute("SELECT 1").fetchone(), (1,))

    def login(self) -> UnixWire:
        wire = UnixWire(f"{self.folder()}/.s.PGSQL.{self.postern.ports.clients}")
        self.addCleanup(wire.close)
        answers = wire.login(self.client(dbname="shared"))
        self.assertEqual(answers[-1].type, "Z")
        return wire

    def fill(self, wire: UnixWire, most: int = 10_000) -> int:
        """Sends queries whose answers nobody reads, until one no longer fits; how many did."""
        wire.ask(query(FILLER))
        for count in range(most):
            before = wire.unread()
            wire.send(query(FILLER))
            give_up = time.monotonic() + 2
            while wire.unread() < before + PAYLOAD:
                if time.monotonic() > give_up:
                    return count
                time.sleep(0.001)
        return most

    def filled(self) -> UnixWire:
        """A session between transactions to which nothing can be written."""
        with self.login() as probe:
            fits = self.fill(probe)
        self.wait_for_clients(0)
        wire = self.login()
        self.assertEqual(self.fill(wire, fits), fits)
        return wire

    def clients(self) -> int:
        """Those that Postern counts."""
        url = f"http://127.0.0.1:{self.postern.ports.admin}/metrics"
        text = urllib.request.urlopen(url, timeout=10).read().decode()
        line = next(part for part in text.splitlines() if part.startswith("postern_clients "))
        return int(float(line.split()[1]))

    def wait_for_clients(self, count: int) -> None:
        wait_until(lambda: self.clients() == count, f"{count} clients", FAREWELL_SECONDS + 5)

    def console(self, sql: str) -> list[tuple]:
        login = self.postern.login(ADMIN, self.passwords[ADMIN], "postern", "console")
        return rows(login.to(sslmode="disable"), sql)

    def kill(self, state: str) -> None:
        """KILL_CLIENT of the one client of "shared" that is in this state."""
        def found() -> list[str]:
            login = self.postern.login(ADMIN, self.passwords[ADMIN], "postern", "console")
            with connect(login.to(sslmode="disable"), autocommit=True) as console:
                cursor = console.execute("SHOW CLIENTS", prepare=False)
                names = [column.name for column in cursor.description or ()]
                told = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            return [str(row["id"]) for row in told
                    if row["database"] == "shared" and row["state"] == state]

        wait_until(lambda: len(found()) == 1, f"one {state} client")
        self.console(f"KILL_CLIENT {found()[0]}")

    def test_client_leaves_while_a_notice_cannot_be_written(self) -> None:
        wire = self.filled()
        holder = self.connect(self.client(dbname="shared"))
        holder.execute("BEGIN")
        wire.send(query("SELECT 1"))
        time.sleep(NOTIFY_SECONDS + 0.3)  # the notice is on its way, and does not fit
        wire.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.5)  # looked for every 100 ms
        self.assertTrue(self.postern.process.running())
        holder.close()
        self.wait_for_clients(0)

    def test_client_leaves_while_its_farewell_cannot_be_written(self) -> None:
        wire = self.filled()
        self.kill("idle")
        time.sleep(0.3)
        wire.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
        self.assertTrue(self.postern.process.running())
        self.wait_for_clients(0)

    def test_killed_while_two_others_wait_to_write(self) -> None:
        """The answer does not fit, the next request's answer waits behind it, the farewell too."""
        wire = self.login()
        wire.send(query("SELECT repeat('x', 100) FROM generate_series(1, 100000)"))
        wait_until(lambda: wire.unread() > 100_000, "a full socket")
        time.sleep(0.3)
        wire.send(query("SELECT 2"))
        time.sleep(0.3)
        self.kill("active")
        self.wait_for_clients(0)

    def test_killed_in_the_middle_of_an_answer_hears_it_behind_a_whole_message(self) -> None:
        wire = self.login()
        wire.send(query("SELECT repeat('x', 100) FROM generate_series(1, 100000)"))
        wait_until(lambda: wire.unread() > 100_000, "a full socket")
        self.kill("active")
        got = wire.until_end()
        self.assertEqual([m.sqlstate() for m in got if m.type == "E"], ["57P01"])
        self.assertEqual({len(m.body) for m in got if m.type == "D"}, {106})
        self.wait_for_clients(0)

