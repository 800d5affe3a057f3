"""Bad input: each mistake gets its own error, harms no other session, and loses no audit record."""

from __future__ import annotations

import json
import struct
import threading
import time
from pathlib import Path
from typing import ClassVar

import psycopg

from postern_server import Ports, PosternServer
from psql_client import connect, psql
from relay_base import CLIENT, DATABASE, RelayTest
from scratch import free_port, wait_until
from wire import (
    SSL_REQUEST,
    SYNC,
    Message,
    Wire,
    bind,
    execute,
    message,
    parse,
    query,
    session,
    startup,
    text,
)

LOGIN_TIMEOUT_SECONDS = 2.0
CACHED = "SELECT note FROM things WHERE id = 1"


def length(value: int) -> bytes:
    return struct.pack("!I", value & 0xFFFFFFFF)


# What comes first on a connection: nobody is logged in by it, and it ends.
STARTUPS = {
    "length zero": length(0),
    "length too small": length(7) + b"abc",
    "length negative": length(-1) + b"x" * 20,
    "length huge": length(0x7FFFFFFF) + b"x" * 20,
    "length just too large": length(10001) + b"\0\3\0\0",
    "words": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": bytes(range(256)),
    "zeros": b"\0" * 64,
    "protocol 2": startup({"user": CLIENT}, version=2 << 16),
    "protocol 4": startup({"user": CLIENT}, version=4 << 16),
    "no user": startup({"database": DATABASE}),
    "empty user": startup({"user": "", "database": DATABASE}),
    "no end": length(8 + 5) + length(196608) + b"user\0",
    "name without value": length(8 + 9) + length(196608) + b"user\0guest"[:9],
    "user too long": startup({"user": "u" * 9000}),
    "nul in a name": length(8 + 15) + length(196608) + b"user\0gu\0est\0\0x\0\0",
    "bad encoding": length(8 + 9) + length(196608) + b"user\0\xff\xfe\0\0",
    "replication": startup({"user": CLIENT, "database": DATABASE, "replication": "true"}),
    "cancel of the wrong size": length(12) + length(80877102) + b"1234",
    "plaintext behind the request for TLS": SSL_REQUEST + startup({"user": CLIENT}),
    "request for TLS twice": SSL_REQUEST + SSL_REQUEST,
    "password before anything": message("p", b"secret\0"),
}

# Within a session, after a Parse and before a Sync. PostgreSQL's own answer is the measure.
MESSAGES = {
    "bind truncated": message("B", b"\0\0\0\0\0\1"),
    "bind with a count beyond its end": message("B", b"\0\0\0\0\x7f\xff"),
    "bind with a negative count": message("B", b"\0\0\xff\xff\0\0\0\0"),
    "bind with a value beyond its end": message("B", b"\0\0\0\0\0\1\0\0\0\x99ab\0\0"),
    "bind with a length of -2": message("B", b"\0\0\0\0\0\1\xff\xff\xff\xfe\0\0"),
    "parse with a nul within": message("P", b"\0SELECT 1\0, 2\0\0\0"),
    "parse without end": message("P", b"\0SELECT 1"),
    "parse with types beyond its end": message("P", b"\0SELECT 1\0\0\5\0\0"),
    "query with a nul within": message("Q", b"SELECT 1\0; SELECT 2\0"),
    "query without end": message("Q", b"SELECT 1"),
    "empty query message": message("Q", b""),
    "describe of neither": message("D", b"X\0"),
    "describe without name": message("D", b"S"),
    "close of neither": message("C", b"X\0"),
    "execute without number": message("E", b"\0\0"),
    "call of nothing": message("F", b""),
}

# What cannot be framed at all: the session ends.
UNFRAMED = {
    "length negative": b"Q" + length(-1) + b"SELECT 1\0",
    "length zero": b"Q" + length(0),
    "length three": b"Q" + length(3),
    "length beyond any limit": b"Q" + length(0x7FFFFFFF) + b"SELECT",
    "bind beyond any limit": b"B" + length(0x7FFFFFFF) + b"\0\0",
    "unknown type": message("~", b"x"),
    "type zero": b"\0" + length(4),
    "a backend's type": message("Z", b"I"),
    "password in a session": message("p", b"secret\0"),
    "startup in a session": startup({"user": CLIENT}),
}


class BadInputTest(RelayTest):
    """Postern with an audit log, and a cache whose Redis is not there."""

    canary: ClassVar[Wire]
    redis_port: ClassVar[int]

    @classmethod
    def boot(cls) -> None:
        cls.redis_port = free_port()
        super().boot()
        things = "CREATE TABLE things (id int PRIMARY KEY, note text)"
        psql(cls.direct().to(dbname=DATABASE), things,
             "INSERT INTO things VALUES (1, 'one')").checked()  # fmt: skip
        cls.canary = session(cls.client(application="canary"))
        cls.addClassCleanup(lambda: cls.canary.close())

    @classmethod
    def toml(cls, ports: Ports) -> str:
        return super().toml(ports) + f"""
[cache]
redis = "127.0.0.1:{cls.redis_port}"
[[cache.rule]]
tables = ["public.things"]
[audit]
dir = "audit"
anchor_file = "../{DATABASE}.anchor"
key_file = "audit.key"
"""

    @classmethod
    def add_postern(cls, name: str) -> PosternServer:
        cls.cluster.scratch.give(cls.cluster.scratch.path)
        return super().add_postern(name)

    def tearDown(self) -> None:
        """Whatever a test did: the session that was there before goes on."""
        got = self.canary.ask(query("SELECT 'alive'"))
        self.assertEqual([m.values() for m in got if m.type == "D"], [[b"alive"]])

    def refusal(self, dsn_changes: dict[str, object]) -> Message:
        with Wire(self.postern.ports.clients) as wire:
            got = wire.login(self.client(**dsn_changes))
            # What is wrong with the database is told after the password was right.
            self.assertIn([m.type for m in got], (["E"], ["R", "E"]))
            self.assertEqual(wire.until_end(), [])
            return got[-1]

    # --- who may come in ------------------------------------------------------------------------

    def test_wrong_password_and_unknown_user_look_the_same(self) -> None:
        wrong = self.refusal({"password": "wrong"})
        unknown = self.refusal({"user": "nobody_here", "password": "wrong"})
        self.assertEqual((wrong.sqlstate(), unknown.sqlstate()), ("28P01", "28P01"))
        strip = [m.body.replace(b"nobody_here", b"U").replace(CLIENT.encode(), b"U")
                 for m in (wrong, unknown)]  # fmt: skip
        self.assertEqual(strip[0], strip[1])
        self.assertNotIn(self.passwords[CLIENT], self.postern.log.since())

    def test_challenges_of_known_and_unknown_users_look_the_same(self) -> None:
        """Same mechanisms and iterations; a salt that stays the same for an unknown user, too."""
        found = []
        for user in (CLIENT, CLIENT, "nobody_here", "nobody_here"):
            with Wire(self.postern.ports.clients) as wire:
                wire.send(startup({"user": user, "database": DATABASE}))
                first = wire.receive()
                initial = b"n,,n=,r=clientnonce"
                wire.send(message("p", text("SCRAM-SHA-256") + length(len(initial)) + initial))
                challenge = wire.receive()
                assert first is not None and challenge is not None
                said = dict(p.split("=", 1) for p in challenge.body[4:].decode().split(","))
                found.append((first.body, len(said["s"]), said["i"], said["s"]))
        self.assertEqual(found[0][:3], found[2][:3])
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[2], found[3])

    def test_unknown_database(self) -> None:
        refused = self.refusal({"dbname": "nowhere"})
        self.assertEqual(refused.sqlstate(), "3D000")
        # Who does not know the password does not learn which databases there are.
        self.assertEqual(self.refusal({"dbname": "nowhere", "password": "x"}).sqlstate(), "28P01")

    # --- malformed ------------------------------------------------------------------------------

    def test_malformed_startups(self) -> None:
        for name, data in STARTUPS.items():
            with self.subTest(name), Wire(self.postern.ports.clients) as wire:
                wire.send(data)
                got = self._raw_end(wire)
                self.assertNotIn(b"R\0\0\0\x08\0\0\0\0", got)  # AuthenticationOk
                self.assertNotIn(b"PST-9901", got)

    def _raw_end(self, wire: Wire) -> bytes:
        """All bytes until the other side closes, which it must do by the login timeout."""
        got, ends = b"", time.monotonic() + LOGIN_TIMEOUT_SECONDS + 3
        try:
            while time.monotonic() < ends:
                part = wire.socket.recv(65536)
                if not part:
                    return got
                got += part
        except ConnectionError:
            return got
        self.fail(f"still open after {got[:80]!r}")

    def test_slow_startup_meets_the_login_timeout(self) -> None:
        whole = startup({"user": CLIENT, "database": DATABASE})
        for part in (b"", whole[:3], whole[:-1], SSL_REQUEST[:5]):
            with self.subTest(part=part), Wire(self.postern.ports.clients) as wire:
                started = time.monotonic()
                wire.send(part)
                self._raw_end(wire)
                self.assertLess(time.monotonic() - started, LOGIN_TIMEOUT_SECONDS + 2)
                self.assertGreater(time.monotonic() - started, LOGIN_TIMEOUT_SECONDS - 0.5)

    def test_malformed_messages(self) -> None:
        for name, data in MESSAGES.items():
            with self.subTest(name):
                told = []
                for dsn in (self.client(), self.direct()):
                    with session(dsn) as wire:
                        before = parse("SELECT 1") if name.startswith("bind") else b""
                        got = wire.ask(before, data, SYNC)
                        told.append([m.sqlstate() for m in got if m.type == "E"])
                self.assertEqual(told[0], told[1])

    def test_what_is_no_message_ends_the_session(self) -> None:
        for name, data in UNFRAMED.items():
            with self.subTest(name), session(self.client()) as wire:
                wire.send(data)
                got = wire.until_end()
                self.assertEqual([m.sqlstate() for m in got], ["08P01"])

    def test_large_text(self) -> None:
        """Beyond limits.query_bytes (1 MB) a text is not analysed; here, unprotected, it passes."""
        long = "SELECT length('" + "x" * (1 << 20) + "')"
        for batch in ((query(long),), (parse(long), bind(), execute(), SYNC)):
            with session(self.client()) as wire:
                got = wire.ask(*batch)
                self.assertEqual([m.values() for m in got if m.type == "D"], [[b"1048576"]])
        with session(self.client()) as wire:
            got = wire.ask(parse("SELECT length($1)"), bind(b"x" * (5 << 20)), execute(), SYNC)
            self.assertEqual([m.values() for m in got if m.type == "D"], [[b"5242880"]])

    def test_endless_pipeline_without_reading(self) -> None:
        """A client that sends and never reads is stopped, or waits; nobody else notices."""
        with session(self.client()) as wire:
            wire.socket.settimeout(2)
            one = parse("SELECT repeat('x', 10000)") + bind() + execute() + SYNC
            try:
                for _ in range(300):
                    wire.send(one * 20)
            except (TimeoutError, ConnectionError):
                pass
            self.tearDown()

    # --- what stands behind goes away -----------------------------------------------------------

    def test_unreachable_redis(self) -> None:
        started = time.monotonic()
        with connect(self.client()) as connection:
            for _ in range(20):
                self.assertEqual(connection.execute(CACHED).fetchone(), ("one",))
            connection.execute("UPDATE things SET note = 'two' WHERE id = 1")
            self.assertEqual(connection.execute(CACHED).fetchone(), ("two",))
            connection.execute("UPDATE things SET note = 'one' WHERE id = 1")
        self.assertLess(time.monotonic() - started, 5)

    def test_killed_server(self) -> None:
        """kill -9 while statements run: each client hears it, and service returns."""
        outcomes: list[str] = []

        def run() -> None:
            with session(self.client()) as wire:
                wire.send(query("SELECT pg_sleep(30)"))
                got = wire.until_end()
                outcomes.append(",".join(m.sqlstate() for m in got if m.type == "E"))

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        self.wait_for_active(3)
        self.cluster.primary.kill()
        for thread in threads:
            thread.join(15)
        self.assertEqual(len(outcomes), 3)
        for outcome in outcomes:
            self.assertIn(outcome[:2], ("08", "57"))
        self.assertTrue(self.postern.process.running())
        wait_until(lambda: not self.backends_alive(), "the backends to notice", 15)
        self.cluster.primary.start()
        wait_until(self._answers, "service after the restart", 15)
        # The canary's server is gone, too: it hears so, and a new one takes its place.
        self.assertEqual(len([m for m in self.canary.until_end() if m.type == "E"]), 1)
        self.canary.close()
        type(self).canary = session(self.client(application="canary"))

    def backends_alive(self) -> bool:
        port = str(self.cluster.primary.port)
        data = str(self.cluster.primary.data)
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
                cwd = str((entry / "cwd").readlink()) if command else ""
            except OSError:
                continue
            if cwd == data and b"postgres" in command and port:
                return True
        return False

    def _answers(self) -> bool:
        try:
            with connect(self.client()) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.Error:
            return False

    # --- what a start refuses -------------------------------------------------------------------

    def refused_start(self, name: str, change: dict[str, str], modes: dict[str, int]) -> str:
        """What `serve` says when it must not start; files of `change` replaced, modes set."""
        postern = self.add_postern(name)
        toml = self.toml(postern.ports).replace(f"../{DATABASE}.anchor", f"../{name}.anchor")
        for old, new in change.items():
            self.assertIn(old, toml)
            toml = toml.replace(old, new)
        postern.write("postern.toml", toml)
        self.cluster.scratch.folder(f"{name}/audit", 0o700)
        for file, mode in modes.items():
            (postern.folder / file).chmod(mode)
        done = postern.cli("serve", "-c", "postern.toml")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("terminate called", done.stderr)
        return done.stderr + done.stdout

    def test_unknown_key_of_the_configuration(self) -> None:
        said = self.refused_start("misspelt", {"workers = 2": "wokers = 2"}, {})
        for part in ("postern.toml:3", "wokers", "workers", "PST-1003"):
            self.assertIn(part, said)

    def test_configuration_that_is_no_toml(self) -> None:
        said = self.refused_start("broken", {"workers = 2": "workers = = 2"}, {})
        for part in ("postern.toml:3", "PST-1002"):
            self.assertIn(part, said)

    def test_value_out_of_range(self) -> None:
        said = self.refused_start("excessive", {"workers = 2": "workers = 2000000"}, {})
        for part in ("postern.toml:3", "workers", "PST-1004"):
            self.assertIn(part, said)

    def test_files_that_cannot_be_read(self) -> None:
        for name, file, mode in (
            ("no_password", "app.password", 0o000), ("no_tls_key", "tls.key", 0o000),
            ("no_users", "users.toml", 0o000),
        ):  # fmt: skip
            with self.subTest(name):
                said = self.refused_start(name, {}, {file: mode})
                self.assertIn(file, said)
                self.assertRegex(said, "PST-[12]")

    def test_audit_folder_that_cannot_be_written(self) -> None:
        said = self.refused_start("readonly", {}, {"audit": 0o500})
        self.assertIn("audit", said)
        self.assertRegex(said, "PST-19")
        said = self.refused_start("nofolder", {'dir = "audit"': 'dir = "app.password"'}, {})
        self.assertRegex(said, "PST-19")

    def test_audit_key_that_others_can_read(self) -> None:
        postern = self.add_postern("open_key")
        key = (self.postern.folder / "audit.key").read_text()
        postern.write("audit.key", key, 0o644)
        postern.write("postern.toml", self.toml(postern.ports).replace(DATABASE + ".anchor", "k"))
        done = postern.cli("serve", "-c", "postern.toml")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "PST-19")
        self.assertNotIn(key.strip(), done.stderr)

    def test_second_process_on_the_same_audit_folder(self) -> None:
        folder = self.postern.folder
        said = self.refused_start("second", {'dir = "audit"': f'dir = "{folder}/audit"',
                                             'key_file = "audit.key"':
                                             f'key_file = "{folder}/audit.key"',
                                             "../second.anchor": f"../{DATABASE}.anchor"}, {})
        self.assertIn("PST-1905", said)

    def test_port_that_is_taken(self) -> None:
        mine = f"port = {self.postern.ports.clients}"
        postern = self.add_postern("taken")
        toml = self.toml(postern.ports).replace(f"port = {postern.ports.clients}", mine)
        postern.write("postern.toml", toml.replace(DATABASE + ".anchor", "taken.anchor"))
        done = postern.cli("serve", "-c", "postern.toml")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("PST-2311", done.stderr)

    def test_client_that_vanishes_leaves_no_open_intent(self) -> None:
        before = self._verified()["open_intents"]
        wire = session(self.client())
        wire.send(query("SELECT pg_sleep(30)"))
        self.wait_for_active(1)
        wire.close()
        wait_until(lambda: not self.backends("active"), "the statement to be cancelled", 5)
        time.sleep(0.3)
        self.assertEqual(self._verified()["open_intents"], before)

    def _verified(self) -> dict:
        done = self.postern.cli("audit", "verify", "-c", "postern.toml", "--json")
        said = json.loads(done.stdout)
        self.assertEqual((done.returncode, said["intact"]), (0, True), said)
        return said

    def test_zz_log_of_all_this_is_whole(self) -> None:
        """Runs last: after all the tests above every statement has its outcome."""
        self.canary.ask(query("SELECT 'last'"))
        self.canary.close()
        try:
            self.assertEqual(self.postern.stop(), 0)
            said = self._verified()
            self.assertEqual((said["open_intents"], said["clean_end"]), (0, True), said)
            self.assertGreater(said["records"], 20)
        finally:
            self.postern.start(self.toml)
            type(self).canary = session(self.client(application="canary"))
