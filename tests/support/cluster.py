"""Everything a run needs, in one context manager: primary, replica, Redis, Postern.

    with Cluster() as cluster:
        cluster.start_primary()
        cluster.start_replica()
        cluster.start_redis()
        postern = cluster.add_postern()
        postern.start(render)

On leaving, however that comes about (end, exception, Ctrl-C, SIGTERM), what was started is ended in
reverse order by its own process id, and the folder is removed.
"""

from __future__ import annotations

import secrets
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import TypeVar

from pg_server import PgServer
from postern_server import PosternServer
from redis_server import RedisServer
from scratch import HarnessError, Scratch

Server = TypeVar("Server")

_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def _leave(signum: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + signum)


class Cluster:
    """Owns the folder and all processes. Not for use from several threads."""

    def __init__(self, prefix: str = "postern-") -> None:
        self.scratch = Scratch(prefix)
        self.password = secrets.token_hex(12)
        self._primary: PgServer | None = None
        self._replica: PgServer | None = None
        self._redis: RedisServer | None = None
        self._teardown: list[Callable[[], object]] = []
        self._handlers: dict[int, object] = {}

    @property
    def primary(self) -> PgServer:
        return _started(self._primary, "primary")

    @property
    def replica(self) -> PgServer:
        return _started(self._replica, "replica")

    @property
    def redis(self) -> RedisServer:
        return _started(self._redis, "redis")

    def start_primary(self, settings: Mapping[str, str] | None = None) -> PgServer:
        server = PgServer(self.scratch, "primary", self.password, settings)
        server.initdb()
        self._teardown.append(server.stop)
        server.start()
        self._primary = server
        return server

    def start_replica(
        self, name: str = "replica", settings: Mapping[str, str] | None = None
    ) -> PgServer:
        """A streaming replica with its own physical slot; `replica` is the last one started."""
        server = PgServer(self.scratch, name, self.password, settings)
        server.base_backup_of(self.primary, f"{name}_slot")
        self._teardown.append(server.stop)
        server.start()
        self._replica = server
        return server

    def start_redis(self) -> RedisServer:
        server = RedisServer(self.scratch)
        self._teardown.append(server.stop)
        server.start()
        self._redis = server
        return server

    def add_postern(self, binary: Path | None = None, name: str = "postern") -> PosternServer:
        """A Postern that is stopped with the rest; the caller configures and starts it."""
        server = PosternServer(self.scratch, binary, name)
        self._teardown.append(server.stop)
        return server

    def on_close(self, stop: Callable[[], object]) -> None:
        """Something else to be stopped with the rest, before what was started earlier."""
        self._teardown.append(stop)

    def close(self) -> None:
        """Ends everything in reverse order; a second Ctrl-C does not cut it short."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            while self._teardown:
                stop = self._teardown.pop()
                try:
                    stop()
                except Exception as error:  # the others must still be ended
                    print(f"while stopping: {error}", file=sys.stderr)
            self.scratch.remove()
        finally:
            signal.signal(signal.SIGINT, before)

    def __enter__(self) -> Cluster:
        for which in _ENDING_SIGNALS:
            self._handlers[which] = signal.signal(which, _leave)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        for which, handler in self._handlers.items():
            signal.signal(which, handler)  # type: ignore[arg-type]


def _started(server: Server | None, name: str) -> Server:
    if server is None:
        raise HarnessError(f"{name} was not started")
    return server
