"""Pools as the configuration limits them: minimum, shared caps, clients, waits, broken logins."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psycopg

from postern_server import Ports
from psql_client import connect, rows
from relay_base import APP, RelayTest
from scratch import clean_environment, wait_until

POOLS = f"""
[database.warm]
cluster = "main"
upstream = "relay"
user = "{APP}"
password_file = "app.password"
pool_size = 3
min_pool_size = 2
[database.counted]
cluster = "main"
upstream = "relay"
user = "{APP}"
password_file = "app.password"
max_db_client_connections = 1
[database.capped]
cluster = "main"
upstream = "relay"
user = "{APP}"
password_file = "app.password"
pool_size = 5
max_db_connections = 1
[database.absent]
cluster = "main"
user = "{APP}"
password_file = "app.password"
"""


class LimitedPools(RelayTest):
    @classmethod
    def toml(cls, ports: Ports) -> str:
        limits = 'query_wait_notify = "200ms"\nserver_lifetime = "2s"\nshutdown_timeout'
        return super().toml(ports).replace("shutdown_timeout", limits) + POOLS

    def refused(self, dbname: str) -> psycopg.OperationalError:
        with self.assertRaises(psycopg.OperationalError) as caught:
            connect(self.client(dbname=dbname)).close()
        return caught.exception

    def servers(self, application: str) -> list[str]:
        sql = (
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            f" AND application_name = '{application}' ORDER BY 1"
        )
        return [pid for (pid,) in rows(self.cluster.primary.superuser, sql)]

    def test_clients_of_a_database_are_counted(self) -> None:
        first = self.connect(self.client(dbname="counted"))
        self.assertIn("too many clients of this database", str(self.refused("counted")))
        first.close()
        wait_until(lambda: self.admitted("counted"), "the place of the client that left")

    def admitted(self, dbname: str) -> bool:
        try:
            connect(self.client(dbname=dbname)).close()
        except psycopg.OperationalError:
            return False
        return True

    def test_minimum_is_kept_open_and_renewed(self) -> None:
        self.connect(self.client(dbname="warm", application="warm")).close()
        wait_until(lambda: len(self.servers("warm")) == 2, "two connections")
        before = set(self.servers("warm"))
        # The lifetime of 2 s replaces them, one after the other.
        wait_until(lambda: not before & set(self.servers("warm")), "others in their place")
        wait_until(lambda: len(self.servers("warm")) == 2, "two connections again")

    def test_a_cap_takes_an_idle_connection_from_another_identity(self) -> None:
        first = self.connect(self.client(dbname="capped", application="one"))
        started = time.monotonic()
        self.assertIn("no server connection", str(self.refused("capped")))
        self.assertGreater(time.monotonic() - started, 1)
        first.close()
        second = self.connect(self.client(dbname="capped", application="two"))
        self.assertEqual(len(self.servers("one")), 0)
        self.assertEqual(len(self.servers("two")), 1)
        second.close()

    def test_a_waiting_client_is_told(self) -> None:
        first = self.connect(self.client(dbname="narrow"))
        dsn = self.client(dbname="narrow")
        psql = subprocess.Popen(
            ["psql", "-X", "-A", "-t", "-c", "SELECT 1"],
            env=clean_environment(Path("/"), dsn.environment()),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        time.sleep(0.8)
        first.close()
        out, err = psql.communicate(timeout=10)
        self.assertEqual((out, psql.returncode), ("1\n", 0), err)
        self.assertEqual(err.count("no server connection is free yet"), 1, err)

    def test_a_broken_login_fails_at_once_and_recovers(self) -> None:
        primary = self.cluster.primary
        self.assertIn("does not exist", str(self.refused("absent")))
        told = str(self.refused("absent"))
        self.assertIn("does not exist", told)
        self.assertIn("so for", told)
        self.assertTrue(self.admitted("relay"))  # nobody else is concerned
        primary.scalar(f"CREATE DATABASE absent OWNER {APP}")
        started = time.monotonic()
        wait_until(lambda: self.admitted("absent"), "recovery")
        self.assertLess(time.monotonic() - started, 2)
