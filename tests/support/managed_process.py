"""One server process: started under the service account, logged to a file, ended by its pid."""

from __future__ import annotations

import ctypes
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from scratch import HarnessError, Scratch, clean_environment, wait_until

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class LogFile:
    """A growing log file with marks, to ask what was written since."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mark(self) -> int:
        """The present end, in bytes."""
        return self.path.stat().st_size if self.path.exists() else 0

    def since(self, mark: int = 0) -> str:
        """The text written after `mark`."""
        if not self.path.exists():
            return ""
        with self.path.open("rb") as file:
            file.seek(mark)
            return file.read().decode("utf-8", "replace")

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.since().splitlines()[-lines:])


def _die_with_parent(stop_signal: signal.Signals) -> Callable[[], None]:
    """Run in the child: even a killed harness leaves no server behind."""

    def arm() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(stop_signal))

    return arm


class ManagedProcess:
    """Start, stop politely, or kill one process. Must be started from the main thread."""

    def __init__(
        self,
        name: str,
        scratch: Scratch,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        env: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = LogFile(scratch.path / f"{name}.log")
        self._scratch = scratch
        self._argv = [str(part) for part in argv]
        self._cwd = cwd
        self._stop_signal = stop_signal
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise HarnessError(f"{self.name} was not started")
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def start(self, ready: Callable[[], bool], timeout: float = 30) -> None:
        """Starts the process and returns once `ready()` holds; an early end is an error."""
        with self.log.path.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                cwd=self._cwd,
                env=clean_environment(self._scratch.path, self._env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is ours to handle, in order
                preexec_fn=_die_with_parent(self._stop_signal),
                **self._scratch.account.popen_arguments(),
            )
        try:
            wait_until(lambda: not self.running() or ready(), f"{self.name} to be ready", timeout)
        except BaseException:
            self.kill()
            raise
        if not self.running():
            raise HarnessError(
                f"{self.name} ended at start with code {self.exit_code()}:\n{self.log.tail()}"
            )

    def signal(self, which: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(which)

    def stop(self, timeout: float = 15) -> int | None:
        """Asks it to end, kills it when it does not within `timeout`; the exit code."""
        self.signal(self._stop_signal)
        if self._process is not None:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.exit_code()

    def kill(self) -> None:
        """kill -9, and waits until it is gone."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(15)
