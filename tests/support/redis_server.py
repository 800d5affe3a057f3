"""A throw-away Redis without persistence, and a look into everything it holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

from managed_process import LogFile, ManagedProcess
from scratch import HarnessError, Scratch, free_port

PORT_ATTEMPTS = 5

# How to read a whole key, by the type Redis reports for it.
_READERS: dict[str, tuple[str, ...]] = {
    "string": ("GET",),
    "hash": ("HGETALL",),
    "list": ("LRANGE", "0", "-1"),
    "set": ("SMEMBERS",),
    "zset": ("ZRANGE", "0", "-1", "WITHSCORES"),
    "stream": ("XRANGE", "-", "+"),
}


class RedisServer:
    def __init__(self, scratch: Scratch) -> None:
        self.port = 0
        self._scratch = scratch
        self._process: ManagedProcess | None = None

    @property
    def process(self) -> ManagedProcess:
        if self._process is None:
            raise HarnessError("redis was not started")
        return self._process

    @property
    def log(self) -> LogFile:
        return self.process.log

    def start(self) -> None:
        folder = self._scratch.folder("redis", 0o700)
        for attempt in range(PORT_ATTEMPTS):
            self.port = self.port or free_port()
            try:
                self._start_on(folder)
                return
            except HarnessError:
                if "Address already in use" not in self.log.tail() or attempt == PORT_ATTEMPTS - 1:
                    raise
                self.port = 0

    def _start_on(self, folder: Path) -> None:
        argv = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", folder, "--databases", "1",
        ]  # fmt: skip
        self._process = ManagedProcess("redis", self._scratch, argv, cwd=folder)
        self._process.start(lambda: self.cli("PING").strip() == b"PONG")

    def cli(self, *command: str) -> bytes:
        """What redis-cli prints for a command, raw."""
        argv = ["redis-cli", "--raw", "-p", str(self.port), *command]
        done = subprocess.run(argv, capture_output=True, timeout=20, check=False)
        return done.stdout

    def keys(self) -> list[bytes]:
        """All keys, sorted."""
        found = self.cli("--scan").split(b"\n")
        return sorted(key for key in found if key)

    def dump(self) -> bytes:
        """Every key with its whole value, raw and one after the other, to search in."""
        parts: list[bytes] = []
        for key in self.keys():
            name = key.decode("utf-8", "surrogateescape")
            kind = self.cli("TYPE", name).decode().strip()
            reader = _READERS.get(kind)
            if reader is not None:
                parts += [key, self.cli(reader[0], name, *reader[1:])]
        return b"\n".join(parts)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        self.process.kill()
