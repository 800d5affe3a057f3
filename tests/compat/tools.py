"""The migrators under test: how each is started."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from postern_server import REPOSITORY
from scratch import HarnessError

APPS = Path(__file__).resolve().parent / "apps"
BUILD = REPOSITORY / "build" / "compat"


@dataclass(frozen=True)
class Tool:
    """`prepare` returns the command line, to which a phase is added."""

    name: str
    prepare: Callable[[], Sequence[str | Path]]


def _run_by(interpreter: str, script: str) -> Callable[[], Sequence[str | Path]]:
    def prepare() -> Sequence[str | Path]:
        found = shutil.which(interpreter)
        if found is None:
            raise HarnessError(f"{interpreter} is not installed: run ./dev deps compat")
        return [found, APPS / script]

    return prepare


def _python(script: str) -> Callable[[], Sequence[str | Path]]:
    return lambda: [sys.executable, "-W", "ignore", APPS / script]


def _knex() -> Sequence[str | Path]:
    source, folder = APPS / "knex_app", BUILD / "knex"
    folder.mkdir(parents=True, exist_ok=True)
    lock, wanted = folder / "package-lock.json", source / "package-lock.json"
    fresh = lock.exists() and lock.read_bytes() == wanted.read_bytes()
    shutil.copytree(source, folder, dirs_exist_ok=True)
    if not fresh:
        done = subprocess.run(
            ["npm", "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        if done.returncode != 0:
            lock.unlink()
            raise HarnessError(f"npm failed: {done.stderr[-2000:]}")
    return ["node", folder / "main.cjs"]


TOOLS = [
    Tool("django", _python("django_app/main.py")),
    Tool("rails", _run_by("ruby", "rails_app/main.rb")),
    Tool("alembic", _python("alembic_app/main.py")),
    Tool("knex", _knex),
    Tool("sqitch", _run_by("bash", "sqitch_app/main.sh")),
]
