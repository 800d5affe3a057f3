"""A throw-away folder, the account that servers run under, free ports, bounded waiting."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Below Linux's ephemeral range, so that no outgoing connection takes a port we just found free.
PORT_RANGE = (20000, 32000)

_handed_out: set[int] = set()


class HarnessError(RuntimeError):
    """A server or tool of the harness did not do what it must; the message says which and why."""


@dataclass(frozen=True)
class Account:
    """The operating-system account of the servers; PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, object]:
        """Arguments for subprocess that switch to this account (none when we already are it)."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def service_account() -> Account:
    """Ourselves, or for root the first unprivileged account that exists."""
    if os.geteuid() != 0:
        own = pwd.getpwuid(os.geteuid())
        return Account(own.pw_name, own.pw_uid, own.pw_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise HarnessError("no unprivileged account (postgres, nobody) to run servers under")


class Scratch:
    """A folder under the system's temporary folder that others may enter; removed by `remove`."""

    def __init__(self, prefix: str = "postern-") -> None:
        self.account = service_account()
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self.path.chmod(0o755)

    def folder(self, name: str, mode: int = 0o755) -> Path:
        """A sub-folder owned by the service account."""
        path = self.path / name
        path.mkdir(mode=mode, exist_ok=True)
        path.chmod(mode)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Hands a file or folder to the service account."""
        if os.geteuid() == 0:
            os.chown(path, self.account.uid, self.account.gid)

    def write(self, path: Path, text: str, mode: int = 0o600) -> Path:
        """A file of the service account; created with its final mode, never readable before."""
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        path.chmod(mode)
        self.give(path)
        return path

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
        text_input: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end under the service account; the caller looks at returncode."""
        return subprocess.run(
            [str(part) for part in argv],
            env=clean_environment(self.path, env),
            cwd=cwd or self.path,
            timeout=timeout,
            input=text_input if text_input is not None else "",
            capture_output=True,
            text=True,
            check=False,
            **self.account.popen_arguments(),
        )

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def clean_environment(home: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    """Our environment without PG* settings, in plain UTF-8, with `home` as HOME."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    env.update({"HOME": str(home), "LC_ALL": "C.UTF-8", "TZ": "UTC"})
    env.update(extra or {})
    return env


def free_port() -> int:
    """A TCP port nobody listens on now and that this process was not given before."""
    for _ in range(400):
        port = random.randint(*PORT_RANGE)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise HarnessError("no free port found")


def wait_until(condition: Callable[[], bool], what: str, timeout: float = 30) -> None:
    """Polls `condition` until it holds; HarnessError naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise HarnessError(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(0.02)


def accepts_tcp(port: int) -> bool:
    """Whether something listens on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
