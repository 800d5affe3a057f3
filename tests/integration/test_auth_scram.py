"""SCRAM on both legs: channel binding, keys passed through, weaker methods only where allowed."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from pathlib import Path

from auth_base import AuthTest
from postern_server import PosternServer
from wire import message


class FakeTlsServer(threading.Thread):
    """Offers both mechanisms over TLS and keeps the first answer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.answer = b""
        self.answered = threading.Event()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            plain, _ = self.listener.accept()
            plain.recv(8)
            plain.sendall(b"S")
            with self.context.wrap_socket(plain, server_side=True) as peer:
                peer.recv(10_000)
                offer = b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"
                peer.sendall(message("R", struct.pack("!i", 10) + offer))
                self.answer = peer.recv(10_000)[5:]
                self.answered.set()


class ScramTest(AuthTest):
    """A users file with verifiers only; the strict twin allows no weak method and no binding."""

    postern: PosternServer
    strict: PosternServer

    @classmethod
    def boot(cls) -> None:
        super().boot()
        users = "".join(
            f"[user.{name}]\nscram = '{cls.verifier(name)}'\n" for name in ("carol", "erin")
        ) + "".join(
            f"[user.{name}]\npassword = '{cls.passwords[name]}'\n" for name in ("old", "clear")
        )
        cls.postern = cls.start_postern(
            "postern", "", users, cluster='allow_md5 = "always"\nallow_cleartext = "tls"'
        )
        cls.strict = cls.start_postern("strict", "channel_binding = false", users)

    def test_libpq_requires_channel_binding_through_tls(self) -> None:
        dsn = self.dsn(self.postern, "carol")
        self.assertEqual(
            self.whoami(dsn, sslmode="require", channel_binding="require"), "carol"
        )
        self.assertEqual(self.whoami(dsn, sslmode="require", channel_binding="disable"), "carol")
        self.assertIn("channel binding", self.refusal(dsn, channel_binding="require"))

    def test_plus_towards_the_server(self) -> None:
        """A hash the server does not share would be refused by it."""
        with self.connect(self.dsn(self.postern, "carol")) as connection:
            sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            self.assertEqual(connection.execute(sql).fetchone(), (True,))
        fake = FakeTlsServer(self.postern.folder)
        fake.start()
        self.addCleanup(fake.listener.close)
        postern = self.cluster.add_postern(name="plus")
        postern.write("users.toml", "[user.app]\npassword = 'p'\n")
        postern.start(lambda ports: f"""\
[listen]
port = {ports.clients}
[cluster.fake]
nodes = ["127.0.0.1:{fake.port}"]
[cluster.fake.tls]
mode = "require"
[database."*"]
cluster = "fake"
[auth]
users_file = "users.toml"
""")
        self.refusal(self.dsn(postern, "app", "p"))
        self.assertTrue(fake.answered.wait(5))
        self.assertTrue(fake.answer.startswith(b"SCRAM-SHA-256-PLUS\0"), fake.answer)
        self.assertIn(b"p=tls-server-end-point,,", fake.answer)

    def test_channel_binding_can_be_switched_off(self) -> None:
        dsn = self.dsn(self.strict, "carol")
        told = self.refusal(dsn, sslmode="require", channel_binding="require")
        self.assertIn("channel binding", told)
        # libpq says 'y': it could, and was not offered it.
        self.assertEqual(self.whoami(dsn, sslmode="require", channel_binding="prefer"), "carol")

    def test_a_verifier_is_enough_to_log_in_upstream(self) -> None:
        for _ in range(3):
            self.assertEqual(self.whoami(self.dsn(self.postern, "carol")), "carol")
        wrong = self.dsn(self.postern, "carol", "wrong")
        self.assertIn("password authentication failed", self.refusal(wrong))

    def test_a_rotated_secret_is_told_apart_and_recovers(self) -> None:
        dsn = self.dsn(self.postern, "erin")
        self.assertEqual(self.whoami(dsn), "erin")
        former = self.verifier("erin")
        self.cluster.primary.scalar("ALTER ROLE erin PASSWORD 'another'")
        # Connections already open stay; a new one needs the new secret.
        self.cluster.primary.scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'erin'"
        )
        self.assertIn("another secret", self.refusal(dsn))
        self.cluster.primary.scalar(f"ALTER ROLE erin PASSWORD '{former}'")
        self.assertEqual(self.whoami(dsn), "erin")

    def test_weak_methods_towards_the_server_need_permission(self) -> None:
        for role in ("old", "clear"):
            with self.subTest(role):
                self.assertEqual(self.whoami(self.dsn(self.postern, role)), role)
                told = self.refusal(self.dsn(self.strict, role))
                self.assertIn("authentication method that is not allowed", told)
