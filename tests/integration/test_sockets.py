"""How connections come and go: unix sockets, PROXY headers, direct TLS, sslmodes, systemd."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import ssl
import struct
import time
from pathlib import Path

import psycopg

from managed_process import ManagedProcess
from postern_server import Ports, PosternServer, speaks_postgres
from psql_client import Dsn
from relay_base import APP, CLIENT, DATABASE, RelayTest
from scratch import accepts_tcp, wait_until
from wire import Wire, message, query, startup

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
GSS_REQUEST = struct.pack("!ii", 8, 80877104)
V2 = b"\r\n\r\n\0\r\nQUIT\n"
ABSTRACT = "@postern-tests-" + secrets.token_hex(4)

INHERIT = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class SocketsTest(RelayTest):
    """A server with TLS and unix sockets; Posterns that differ."""

    @classmethod
    def server_settings(cls) -> dict[str, str]:
        cls.sockets = cls.cluster.scratch.folder("sockets")
        cls.tls = cls.cluster.scratch.folder("server-tls")
        cls.certify(cls.tls, "server", "localhost")
        return {
            "unix_socket_directories": f"{cls.sockets},{ABSTRACT}",
            "ssl": "on",
            "ssl_cert_file": str(cls.tls / "server.crt"),
            "ssl_key_file": str(cls.tls / "server.key"),
        }

    @classmethod
    def certify(cls, folder: Path, name: str, host: str) -> None:
        made = cls.cluster.scratch.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", f"/CN={host}",
             "-addext", f"subjectAltName=DNS:{host}",
             "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"]
        )  # fmt: skip
        made.check_returncode()

    def serve(self, *changes: tuple[str, str]) -> PosternServer:
        postern = self.add_postern("sockets-" + secrets.token_hex(3))

        def render(ports: Ports) -> str:
            text = self.toml(ports)
            for old, new in changes:
                self.assertIn(old, text)
                text = text.replace(old, new, 1)
            return text

        postern.start(render)
        self.addCleanup(postern.stop)
        return postern

    def dsn(self, postern: PosternServer) -> Dsn:
        return postern.login(CLIENT, self.passwords[CLIENT], DATABASE, "sockets")

    def works(self, dsn: Dsn, **changes: object) -> None:
        host = changes.get("host", "127.0.0.1")
        with psycopg.connect(
            host=host, port=dsn.port, user=dsn.user, password=dsn.password, dbname=dsn.dbname,
            sslmode="disable", connect_timeout=10,
        ) as connection:  # fmt: skip
            self.assertEqual(connection.execute("SELECT 1").fetchone(), (1,))

    def nodes(self) -> str:
        return f'nodes = ["127.0.0.1:{self.cluster.primary.port}"]'

    def wait_for_log(self, postern: PosternServer, text: str) -> None:
        wait_until(lambda: text in postern.log.since(), f"{text!r} in the log")

    # --- unix sockets -----------------------------------------------------------------------------

    def test_clients_over_a_unix_socket(self) -> None:
        folder = self.cluster.scratch.folder("listen-" + secrets.token_hex(3))
        postern = self.serve(
            ("[listen]", f'[listen]\nunix_socket_dir = "{folder}"\nunix_socket_mode = "0770"')
        )
        path = folder / f".s.PGSQL.{postern.ports.clients}"
        self.assertEqual(path.stat().st_mode & 0o777, 0o770)
        self.works(self.dsn(postern), host=str(folder))
        self.works(self.dsn(postern))
        with socket.socket(socket.AF_UNIX) as plain:
            plain.connect(str(path))
            plain.sendall(SSL_REQUEST)
            self.assertEqual(plain.recv(1), b"N")
        for _ in range(20):
            self.says_far_too_much(str(path))
        postern.stop()
        self.assertEqual(os.listdir(folder), [])
        postern._serve()  # noqa: SLF001
        postern.kill()
        self.assertTrue(path.exists())
        postern._serve()  # noqa: SLF001
        self.works(self.dsn(postern), host=str(folder))

    def says_far_too_much(self, path: str) -> None:
        """Bytes that nobody wants must not keep their sender from hearing why."""
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(20)
            plain.connect(path)
            plain.sendall(startup({"user": CLIENT, "database": DATABASE}))
            self.assertEqual(plain.recv(1), b"R")
            plain.sendall(message("p", b"x" * 900_000 + b"\0"))
            plain.shutdown(socket.SHUT_WR)
            said = b""
            while part := plain.recv(65536):
                said += part
            self.assertIn(b"PST-", said)

    def test_clients_over_an_abstract_socket(self) -> None:
        name = "@postern-listen-" + secrets.token_hex(4)
        postern = self.serve(("[listen]", f'[listen]\nunix_socket_dir = "{name}"'))
        self.works(self.dsn(postern), host=name)

    def test_servers_over_unix_sockets(self) -> None:
        port = self.cluster.primary.port
        for host in (str(self.sockets), ABSTRACT):
            postern = self.serve((self.nodes(), f'nodes = ["{host}:{port}"]'))
            with psycopg.connect(
                host="127.0.0.1", port=postern.ports.clients, user=CLIENT,
                password=self.passwords[CLIENT], dbname=DATABASE,
            ) as connection:  # fmt: skip
                address = connection.execute("SELECT inet_client_addr()").fetchone()
                self.assertEqual(address, (None,))
                connection.execute("CREATE TEMP TABLE t (n int)")
                connection.cancel()

    # --- PROXY protocol ---------------------------------------------------------------------------

    def listed(self) -> PosternServer:
        """By a reload: the harness itself sends no header when it looks whether it is up."""
        postern = self.serve()
        text = postern.config.read_text()
        networks = 'proxy_protocol_from = ["192.0.2.0/24", "127.0.0.0/8"]'
        postern.write("postern.toml", text.replace("[listen]", f"[listen]\n{networks}", 1))
        postern.process.signal(signal.SIGHUP)
        self.wait_for_log(postern, " reloaded ")
        return postern

    def announced(self, postern: PosternServer, header: bytes, address: str) -> None:
        with Wire(postern.ports.clients) as wire:
            for at in range(len(header)):
                wire.send(header[at : at + 1])
            wire.login(self.dsn(postern).to(password="wrong"))
        self.wait_for_log(postern, f"client={address}")
        with Wire(postern.ports.clients) as wire:
            wire.send(header + startup({"user": CLIENT, "database": DATABASE}))
            first = wire.receive()
            assert first is not None
            self.assertEqual(first.type, "R")

    def test_announced_addresses(self) -> None:
        postern = self.listed()
        self.announced(postern, b"PROXY TCP4 192.0.2.7 10.0.0.1 55555 6432\r\n", "192.0.2.7:55555")
        body = socket.inet_pton(socket.AF_INET6, "2001:db8::9") + bytes(16) + b"\x00\x50\x19\x20"
        header = V2 + b"\x21\x21" + struct.pack("!H", len(body)) + body
        self.announced(postern, header, "[2001:db8::9]:80")
        with Wire(postern.ports.clients) as wire:
            wire.send(V2 + b"\x20\x00\x00\x00")
            self.assertEqual(wire.login(self.dsn(postern))[-1].type, "Z")

    def test_header_and_then_tls(self) -> None:
        postern = self.listed()
        with socket.create_connection(("127.0.0.1", postern.ports.clients), timeout=5) as plain:
            plain.sendall(b"PROXY TCP4 192.0.2.9 10.0.0.1 1 6432\r\n" + SSL_REQUEST)
            self.assertEqual(plain.recv(1), b"S")
            with self.context().wrap_socket(plain) as tls:
                tls.sendall(startup({"user": CLIENT, "database": DATABASE}))
                self.assertEqual(tls.recv(1), b"R")

    def closed_without_a_word(self, postern: PosternServer, sent: bytes) -> None:
        mark = postern.log.mark()
        with Wire(postern.ports.clients) as wire:
            wire.send(sent)
            wire.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(wire.until_end(), [], sent)
        wait_until(lambda: "PST-2319" in postern.log.since(mark), f"a line about {sent!r}")

    def test_missing_and_malformed_headers(self) -> None:
        postern = self.listed()
        good = V2 + b"\x21\x11\x00\x0c" + bytes(12)
        for sent in (
            startup({"user": CLIENT}), SSL_REQUEST, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01",
            b"PROXY TCP4 192.0.2.7\r\n", b"PROXY TCP4 1.2.3.4 1.2.3.4 99999 1\r\n", b"P" * 200,
            V2 + b"\x31\x11\x00\x0c" + bytes(12), V2 + b"\x21\x11\x00\x0b" + bytes(11),
            V2 + b"\x21\x11\xff\xff", *(good[:size] for size in range(1, len(good))),
        ):  # fmt: skip
            self.closed_without_a_word(postern, sent)
        with Wire(postern.ports.clients) as wire:
            wire.send(good)
            self.assertEqual(wire.login(self.dsn(postern))[-1].type, "Z")

    def test_header_from_elsewhere_is_no_startup(self) -> None:
        postern = self.serve(("[listen]", '[listen]\nproxy_protocol_from = ["10.0.0.0/8"]'))
        self.works(self.dsn(postern))
        with Wire(postern.ports.clients) as wire:
            wire.send(b"PROXY TCP4 192.0.2.7 10.0.0.1 55555 6432\r\n")
            self.assertEqual([got.type for got in wire.until_end()], ["E"])
        self.assertNotIn("192.0.2.7", postern.log.since())

    # --- TLS towards clients ----------------------------------------------------------------------

    def context(self, alpn: list[str] | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if alpn is not None:
            context.set_alpn_protocols(alpn)
        return context

    def direct(self, postern: PosternServer, alpn: list[str] | None) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", postern.ports.clients), timeout=5)
        self.addCleanup(plain.close)
        tls = self.context(alpn).wrap_socket(plain)
        self.addCleanup(tls.close)
        return tls

    def test_direct_tls(self) -> None:
        tls = self.direct(self.postern, ["postgresql"])
        self.assertEqual(tls.selected_alpn_protocol(), "postgresql")
        tls.sendall(startup({"user": CLIENT, "database": DATABASE}))
        self.assertEqual(tls.recv(1), b"R")

    def test_direct_tls_needs_the_protocol_name(self) -> None:
        mark = self.postern.log.mark()
        tls = self.direct(self.postern, None)
        tls.sendall(startup({"user": CLIENT, "database": DATABASE}))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            if tls.recv(1) == b"":
                raise ConnectionResetError
        wait_until(lambda: "PST-2320" in self.postern.log.since(mark), "a line about it")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.direct(self.postern, ["http/1.1"])

    def test_encryption_requests_inside_tls_are_refused(self) -> None:
        for request in (SSL_REQUEST, GSS_REQUEST):
            tls = self.direct(self.postern, ["postgresql"])
            tls.sendall(request)
            self.assertEqual(tls.recv(1), b"E")

    def test_direct_tls_where_none_is_offered(self) -> None:
        postern = self.serve(('mode = "allow"', 'mode = "disable"'))
        with self.assertRaises((ssl.SSLError, OSError)):
            self.direct(postern, ["postgresql"])
        self.works(self.dsn(postern))

    def test_cancel_over_direct_tls(self) -> None:
        with Wire(self.postern.ports.clients) as wire:
            wire.login(self.client())
            wire.send(query("SELECT pg_sleep(30)"))
            time.sleep(0.3)
            pid, key = wire.key
            tls = self.direct(self.postern, ["postgresql"])
            tls.sendall(struct.pack("!iiii", 16, 80877102, pid, key))
            self.assertEqual(tls.recv(1), b"")
            codes = [got.sqlstate() for got in wire.until_ready()]
            self.assertIn("57014", codes)

    def test_plaintext_behind_the_request_is_refused(self) -> None:
        for request in (SSL_REQUEST, GSS_REQUEST):
            with Wire(self.postern.ports.clients) as wire:
                wire.send(request + startup({"user": CLIENT, "database": DATABASE}))
                answers = wire.until_end()
                self.assertEqual([got.sqlstate() for got in answers], ["08P01"])

    # --- TLS towards servers ----------------------------------------------------------------------

    def encrypted(self, tls: str, host: str = "127.0.0.1") -> bool:
        port = self.cluster.primary.port
        postern = self.serve((self.nodes(), f'nodes = ["{host}:{port}"]'),
                             ("[service]", f"[cluster.main.tls]\n{tls}\n[service]"))  # fmt: skip
        try:
            with psycopg.connect(
                host="127.0.0.1", port=postern.ports.clients, user=CLIENT,
                password=self.passwords[CLIENT], dbname=DATABASE,
            ) as connection:  # fmt: skip
                row = connection.execute(
                    "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
                ).fetchone()
        finally:
            postern.stop()
        assert row is not None
        return bool(row[0])

    def refused(self, tls: str, host: str = "127.0.0.1") -> None:
        with self.assertRaises(psycopg.OperationalError):
            self.encrypted(tls, host)

    def test_modes(self) -> None:
        ca = f'ca_file = "{self.tls / "server.crt"}"'
        self.certify(self.tls, "other", "localhost")
        other = f'ca_file = "{self.tls / "other.crt"}"'
        for mode, expected in (("disable", False), ("allow", False), ("prefer", True),
                               ("require", True)):  # fmt: skip
            self.assertEqual(self.encrypted(f'mode = "{mode}"'), expected, mode)
        self.assertTrue(self.encrypted(f'mode = "verify-ca"\n{ca}'))
        self.assertTrue(self.encrypted(f'mode = "verify-full"\n{ca}', "localhost"))
        self.refused(f'mode = "verify-full"\n{ca}')
        self.refused(f'mode = "verify-ca"\n{other}')

    def with_hba(self, lines: str) -> None:
        hba = self.cluster.primary.data / "pg_hba.conf"
        before = hba.read_text()

        def restore() -> None:
            hba.write_text(before)
            self.cluster.primary.scalar("SELECT pg_reload_conf()")
            time.sleep(0.3)

        hba.write_text(lines + before)
        self.addCleanup(restore)
        self.cluster.primary.scalar("SELECT pg_reload_conf()")
        time.sleep(0.3)

    def test_allow_and_prefer_try_the_other_way(self) -> None:
        self.with_hba(f"hostnossl all {APP} all reject\n")
        self.assertTrue(self.encrypted('mode = "allow"'))
        self.refused('mode = "disable"')

    def test_prefer_falls_back(self) -> None:
        self.with_hba(f"hostssl all {APP} all reject\n")
        self.assertFalse(self.encrypted('mode = "prefer"'))
        self.refused('mode = "require"')

    # --- systemd ----------------------------------------------------------------------------------

    def test_notifications(self) -> None:
        folder = self.cluster.scratch.folder("notify-" + secrets.token_hex(3), 0o777)
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(str(folder / "n"))
        (folder / "n").chmod(0o777)
        manager.settimeout(10)
        postern = self.add_postern("notified-" + secrets.token_hex(3))
        postern.configure(self.toml)
        argv = [postern.folder / "postern", "serve", "-c", postern.config]
        process = ManagedProcess(
            postern.name, self.cluster.scratch, argv, cwd=postern.folder,
            env={"NOTIFY_SOCKET": str(folder / "n"), "WATCHDOG_USEC": "200000"},
        )  # fmt: skip
        process.start(lambda: speaks_postgres(postern.ports.clients))
        self.addCleanup(process.stop)

        def said(what: str) -> str:
            while True:
                text = manager.recv(1000).decode()
                if text.startswith(what):
                    return text

        said("READY=1")
        said("WATCHDOG=1")
        said("WATCHDOG=1")
        process.signal(1)
        self.assertRegex(said("RELOADING=1"), r"MONOTONIC_USEC=\d+")
        said("READY=1")
        process.signal(15)
        said("STOPPING=1")

    def test_socket_activation(self) -> None:
        postern = self.add_postern("activated-" + secrets.token_hex(3))
        postern.configure(lambda ports: self.toml(Ports(1, ports.admin)))
        argv = ["python3", "-c", INHERIT, str(postern.ports.clients),
                postern.folder / "postern", "serve", "-c", postern.config]  # fmt: skip
        process = ManagedProcess(postern.name, self.cluster.scratch, argv, cwd=postern.folder)
        process.start(lambda: speaks_postgres(postern.ports.clients))
        self.addCleanup(process.stop)
        self.works(self.dsn(postern))
        self.assertFalse(accepts_tcp(1))


if __name__ == "__main__":
    import unittest

    unittest.main()
