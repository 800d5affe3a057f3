"""The Debian package of the extension holds what a server needs, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from bed import SOURCES

BUILDER = SOURCES.parents[1] / "ops" / "guard_package.py"
FILES = {
    "usr/lib/postgresql/15/lib/postern_guard.so",
    "usr/share/postgresql/15/extension/postern_guard.control",
    "usr/share/postgresql/15/extension/postern_guard--1.0.sql",
    "usr/share/doc/postern-guard-15/copyright",
    "usr/share/doc/postern-guard-15/changelog.gz",
}


class TestPackage(unittest.TestCase):
    def test_contents(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            built = subprocess.run([sys.executable, BUILDER, "1.2.3", folder], check=True,
                                   capture_output=True, text=True).stdout.strip()  # fmt: skip
            self.assertRegex(Path(built).name, r"^postern-guard-15_1\.2\.3_\w+\.deb$")
            subprocess.run(["dpkg-deb", "-x", built, Path(folder) / "out"], check=True)
            root = Path(folder) / "out"
            found = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
            self.assertEqual(found, FILES)
            depends = subprocess.run(["dpkg-deb", "-f", built, "Depends"], check=True,
                                     capture_output=True, text=True).stdout  # fmt: skip
            self.assertIn("postgresql-15,", depends)
            self.assertIn("libssl3", depends)
            listed = subprocess.run(["dpkg-deb", "-c", built], check=True, capture_output=True,
                                    text=True).stdout.splitlines()  # fmt: skip
            self.assertTrue(all("root/root" in line for line in listed))
