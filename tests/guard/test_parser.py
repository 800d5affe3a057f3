"""The parser of tokens by itself, built with the address and undefined behaviour sanitizers."""

from __future__ import annotations

import subprocess
import tempfile
import unittest
from pathlib import Path

from bed import SOURCES
from test_extension import SHORT

HERE = Path(__file__).resolve().parent
ROUNDS = 50_000 if SHORT else 300_000


class TestParser(unittest.TestCase):
    def test_mutations_under_sanitizers(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "fuzz_token"
            sources = [SOURCES / name for name in ("token.c", "context.c", "keys.c")]
            subprocess.run(
                ["gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror",
                 "-fsanitize=address,undefined", "-fno-sanitize-recover=all", f"-I{SOURCES}",
                 HERE / "fuzz_token.c", *sources, "-lcrypto", "-o", program], check=True,
            )  # fmt: skip
            done = subprocess.run([program, str(ROUNDS)], capture_output=True, text=True,
                                  check=False, timeout=500)  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr[-3000:])
            print(done.stdout.strip(), flush=True)
