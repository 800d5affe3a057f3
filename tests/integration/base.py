"""Shared fixtures of the integration tests: a cluster per test class, data on demand."""

from __future__ import annotations

import os
import unittest
from pathlib import Path
from typing import ClassVar

from cluster import Cluster
from psql_client import Dsn, psql

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


class ClusterTest(unittest.TestCase):
    """A test class with one cluster for all tests; subclasses start what they need in `boot`."""

    cluster: ClassVar[Cluster]

    @classmethod
    def boot(cls) -> None:
        """Starts the servers this class needs; the primary alone unless overridden."""
        cls.cluster.start_primary()

    @classmethod
    def setUpClass(cls) -> None:
        cls.cluster = Cluster().__enter__()
        cls.addClassCleanup(cls.cluster.__exit__, None, None, None)
        cls.boot()


def create_database(cluster: Cluster, name: str) -> Dsn:
    """A new empty database; the Dsn of the superuser in it."""
    cluster.primary.scalar(f'CREATE DATABASE "{name}"')
    return cluster.primary.superuser.to(dbname=name)


def load_llama_mapper(dsn: Dsn, *, protected: bool = False, app_role: str = "") -> None:
    """The multi-tenant fixture; with `protected` the users are left to the caller."""
    variables = {"protected": "1" if protected else "0"}
    if app_role:
        variables["app_role"] = app_role
    for script in ("schema.sql", "data.sql"):
        path = FIXTURES / "llama_mapper" / script
        psql(dsn, file=path, variables=variables, flags=("-q",)).checked()


def processes_in(folder: Path) -> list[str]:
    """Command lines of all processes that work in or were started from the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_text(errors="replace").replace("\0", " ")
            cwd = os.readlink(entry / "cwd")
        except OSError:
            continue
        if str(folder) in command or cwd.startswith(str(folder)):
            found.append(f"{entry.name} {command}")
    return found
