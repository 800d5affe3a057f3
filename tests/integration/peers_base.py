"""Fixture of the peers' tests: instances of Postern that pass cancel requests on."""

from __future__ import annotations

import secrets
from typing import ClassVar

import psycopg

from postern_server import Ports, PosternServer
from psql_client import Dsn, connect
from relay_base import CLIENT, DATABASE, RelayTest
from scratch import free_port, wait_until
from wire import Wire, query, send_cancel


class PeersBase(RelayTest):
    """The server and a shared secret; instances as the tests want them."""

    secret: ClassVar[str]
    watcher: ClassVar[psycopg.Connection[tuple]]

    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.postern.stop()
        cls.secret = secrets.token_hex(32)
        cls.watcher = connect(cls.cluster.primary.superuser)
        cls.addClassCleanup(cls.watcher.close)

    @classmethod
    def some_place(cls) -> str:
        return f"127.0.0.1:{free_port()}"

    @classmethod
    def serve(cls, own: int, places: dict[int, str], *, secret: str = "") -> PosternServer:
        """An instance with that id; `places` are the listeners of all by their ids."""
        instance = cls.prepare(own, secret)
        instance.start(lambda ports: cls.toml(ports) + cls.peers(own, places))
        return instance

    @classmethod
    def prepare(cls, own: int, secret: str = "") -> PosternServer:
        instance = cls.add_postern(f"instance-{own}-{secrets.token_hex(3)}")
        instance.write("peers.key", (secret or cls.secret) + "\n")
        cls.addClassCleanup(instance.stop)
        return instance

    @classmethod
    def peers(cls, own: int, places: dict[int, str]) -> str:
        text = f'[peers]\nid = {own}\nlisten = "{places[own]}"\nsecret_file = "peers.key"\n'
        for number, place in places.items():
            text += f'[[peers.peer]]\nid = {number}\naddress = "{place}"\n'
        return text

    @classmethod
    def serve_on_one_port(cls, port: int, own: int, places: dict[int, str]) -> PosternServer:
        instance = cls.prepare(own)
        instance.ports = Ports(port, instance.ports.admin)
        shared = "[listen]\nso_reuseport = true"
        instance.configure(
            lambda ports: cls.toml(ports).replace("[listen]", shared, 1) + cls.peers(own, places)
        )
        # The port may answer already: it serves once its own log says so.
        instance._serve()  # noqa: SLF001
        wait_until(lambda: " serving " in instance.log.since(), "the instance to serve")
        return instance

    # --- sessions and their cancelling -----------------------------------------------------------

    def dsn(self, instance: PosternServer) -> Dsn:
        login = instance.login(CLIENT, self.passwords[CLIENT], DATABASE, "peers")
        return login.to(sslmode="disable")

    def wire(self, instance: PosternServer, version: int) -> Wire:
        wire = Wire(instance.ports.clients)
        self.addCleanup(wire.close)
        self.assertEqual(wire.login(self.dsn(instance), version=version)[-1].type, "Z")
        return wire

    def wait_for_statement(self, process_id: int) -> None:
        sql = "SELECT state FROM pg_stat_activity WHERE pid = %s"

        def runs() -> bool:
            return self.watcher.execute(sql, (process_id,)).fetchone() == ("active",)

        wait_until(runs, "the statement to run")

    def start(self, wire: Wire, seconds: float) -> None:
        wire.send(query(f"SELECT pg_sleep({seconds})"))
        self.wait_for_statement(wire.key[0])

    def was_cancelled(self, wire: Wire) -> bool:
        return any(message.sqlstate() == "57014" for message in wire.until_ready())

    def cancels(self, wire: Wire, port: int) -> bool:
        """Whether a cancel request sent to `port` ends the session's statement."""
        self.start(wire, 5)
        self.assertEqual(send_cancel(port, wire.key[0], wire.secret), [])
        return self.was_cancelled(wire)
