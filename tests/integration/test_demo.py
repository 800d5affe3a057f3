"""The demo as others use it: all well, and each absent capability fails its own line alone."""

from __future__ import annotations

import re
import subprocess
import sys
import unittest
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "demo"
sys.path.append(str(DEMO))

from settings import CAPABILITIES  # noqa: E402

_LINE = re.compile(r"([a-z-]+): (ok|FAILED)")
RUN_SECONDS = 300


def demo(*flags: str) -> tuple[int, dict[str, str], str]:
    """Exit code, the closing lines as name -> outcome, and everything printed."""
    done = subprocess.run(
        ["/usr/bin/python3", DEMO / "run.py", "--once", *flags],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=RUN_SECONDS, check=False,
    )  # fmt: skip
    closing = done.stdout.splitlines()[-len(CAPABILITIES) :]
    outcomes = dict(match.groups() for line in closing if (match := _LINE.fullmatch(line)))
    return done.returncode, outcomes, done.stdout


class DemoTest(unittest.TestCase):
    def test_every_capability_holds(self) -> None:
        code, outcomes, printed = demo()
        self.assertEqual(outcomes, dict.fromkeys(CAPABILITIES, "ok"), printed)
        self.assertEqual(code, 0)

    def _check_break(self, name: str) -> None:
        code, outcomes, printed = demo(f"--break={name}")
        expected = {**dict.fromkeys(CAPABILITIES, "ok"), name: "FAILED"}
        self.assertEqual(outcomes, expected, printed)
        self.assertEqual(code, 1)

    def test_break_relay(self) -> None:
        self._check_break("relay")

    def test_break_tenant_wall(self) -> None:
        self._check_break("tenant-wall")

    def test_break_pii_encryption(self) -> None:
        self._check_break("pii-encryption")

    def test_break_replica_routing(self) -> None:
        self._check_break("replica-routing")

    def test_break_cache(self) -> None:
        self._check_break("cache")

    def test_break_audit(self) -> None:
        self._check_break("audit")
