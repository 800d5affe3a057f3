"""The bed of a comparison: a fresh PostgreSQL, and where wanted a Postern in front of it."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from cluster import Cluster
from postern_server import Ports, PosternServer
from psql_client import Dsn

# What the suites of PostgreSQL expect of a server, beyond the settings of the harness.
SERVER_SETTINGS = {"max_prepared_transactions": "2", "max_connections": "120"}
POOL_SIZE = 60


class Bed:
    """A context manager. `direct` leads to the server, `through` to Postern, as one superuser."""

    def __init__(
        self,
        pool_mode: str = "",
        server: Mapping[str, str] | None = None,
        pool_size: int = POOL_SIZE,
    ) -> None:
        """`pool_mode` empty: no Postern."""
        self.pool_mode = pool_mode
        self._pool_size = pool_size
        self._front_port = 0
        self._settings = {**SERVER_SETTINGS, **(server or {})}
        self._cluster = Cluster("postern-conformance-")
        self._postern: PosternServer | None = None

    def __enter__(self) -> Bed:
        self._cluster.__enter__()
        try:
            self._cluster.start_primary(self._settings)
            if self.pool_mode:
                self._start_postern()
        except BaseException:
            self._cluster.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cluster.__exit__(kind, error, trace)

    @property
    def folder(self) -> Path:
        return self._cluster.scratch.path

    @property
    def cluster(self) -> Cluster:
        return self._cluster

    @property
    def postern(self) -> PosternServer:
        assert self._postern is not None
        return self._postern

    @property
    def direct(self) -> Dsn:
        return self._cluster.primary.superuser

    @property
    def through(self) -> Dsn:
        return self.direct.to(port=self.postern.ports.clients)

    @property
    def front(self) -> Dsn:
        """Where the clients of this bed go: Postern if there is one."""
        front = self.through if self.pool_mode else self.direct
        return front.to(port=self._front_port) if self._front_port else front

    def divert(self, port: int) -> None:
        """Clients of `front` go to another port from now on."""
        self._front_port = port

    def _start_postern(self) -> None:
        postern = self._postern = self._cluster.add_postern()
        login = f'[user.{self.direct.user}]\npassword = "{self._cluster.password}"\n'
        postern.write("users.toml", login)
        postern.start(self._toml)

    def _toml(self, ports: Ports) -> str:
        """The smallest complete configuration, with the counter of statements."""
        return f"""\
[listen]
port = {ports.clients}
[cluster.main]
nodes = ["127.0.0.1:{self._cluster.primary.port}"]
[database."*"]
cluster = "main"
pool_mode = "{self.pool_mode}"
pool_size = {self._pool_size}
[auth]
users_file = "users.toml"
[metrics]
port = {ports.admin}
"""

    def statements(self) -> int:
        """What Postern counts as executed for clients; 0 where there is no Postern."""
        return self.metric("postern_statements_total") if self.pool_mode else 0

    def metric(self, name: str) -> int:
        url = f"http://127.0.0.1:{self.postern.ports.admin}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        if found is None:
            raise RuntimeError(f"the metrics have no {name}")
        return int(float(found.group(1)))

    def resident_bytes(self) -> int:
        """Postern's resident memory now."""
        status = Path(f"/proc/{self.postern.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found.group(1)) * 1024
