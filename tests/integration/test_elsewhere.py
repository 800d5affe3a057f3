"""Reads that do not go to the primary: cache hits without any server, limits at a replica."""

from __future__ import annotations

import json
import time
import urllib.request

import psycopg

from postern_server import Ports
from psql_client import connect, rows
from relay_base import APP, DATABASE, RelayTest
from scratch import wait_until
from wire import query, session

MORE = f"""
[database.pooled]
cluster = "main"
upstream = "{DATABASE}"
user = "{APP}"
password_file = "app.password"
pool_mode = "transaction"
pool_size = 1
[database.direct]
cluster = "main"
upstream = "{DATABASE}"
user = "{APP}"
password_file = "app.password"
[routing]
poll_interval = "100ms"
[cache]
ttl = "60s"
[[cache.rule]]
tables = ["public.cached", "public.granted"]
"""

# How often the catalog is looked at for changes made elsewhere.
LOOK_SECONDS = 5
# Sockets and buffers between server and client hold a part of it.
LONG_ROW = 32_000_000


class ElsewhereTest(RelayTest):
    """A primary, a replica, one table that is cached and one that is not."""

    @classmethod
    def boot(cls) -> None:
        super().boot()
        with connect(cls.cluster.primary.superuser.to(dbname=DATABASE)) as owner:
            owner.execute("CREATE TABLE cached AS SELECT 1 AS n")
            owner.execute("CREATE TABLE plain AS SELECT n FROM generate_series(1, 1000) n")
            owner.execute(f"ALTER TABLE cached OWNER TO {APP}")
            owner.execute(f"ALTER TABLE plain OWNER TO {APP}")
            owner.execute("CREATE TABLE granted AS SELECT 1 AS n")
            owner.execute("CREATE ROLE readers")
            owner.execute("GRANT SELECT ON granted TO readers")
        cls.cluster.replica.wait_for_replay_of(cls.cluster.primary)

    @classmethod
    def add_postern(cls, name: str):  # type: ignore[no-untyped-def]
        cls.cluster.start_replica()
        return super().add_postern(name)

    @classmethod
    def toml(cls, ports: Ports) -> str:
        text = super().toml(ports).replace("[limits]", '[limits]\nquery_timeout = "1s"')
        nodes = f'nodes = ["127.0.0.1:{cls.cluster.primary.port}"'
        return text.replace(nodes, f'{nodes}, "127.0.0.1:{cls.cluster.replica.port}"') + MORE

    def metric(self, name: str) -> int:
        url = f"http://127.0.0.1:{self.postern.ports.admin}/metrics"
        with urllib.request.urlopen(url, timeout=5) as page:
            for line in page.read().decode().splitlines():
                if line.startswith(name + " "):
                    return int(float(line.split()[-1]))
        self.fail(f"there is no {name}")

    def value(self, client: psycopg.Connection[tuple], sql: str, prepare: bool) -> object:
        row = client.execute(sql, prepare=prepare).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]

    def test_who_lost_the_right_to_read_hits_no_more(self) -> None:
        """The server's rights are its own: a hit must not outlive them."""
        read = "SELECT n FROM granted"
        taken = ("REVOKE readers FROM " + APP, "REVOKE SELECT ON granted FROM readers")
        given = ("GRANT readers TO " + APP, "GRANT SELECT ON granted TO readers")
        primary = self.cluster.primary
        primary.scalar(given[0], DATABASE)
        clients = [self.connect(self.client(dbname=name)) for name in ("direct", "pooled")]
        for client in clients:
            client.execute(read)
        # A membership that no look ever saw leaves no trace, and the first look begins anew.
        time.sleep(2 * LOOK_SECONDS + 1)
        for client in clients:
            for revoke, grant in zip(taken, given, strict=True):
                wait_until(lambda: self.hits_of(client, read, False), "a hit")  # noqa: B023
                primary.scalar(revoke, DATABASE)
                wait_until(lambda: self.is_denied(client, read), revoke)  # noqa: B023
                primary.scalar(grant, DATABASE)
                wait_until(lambda: not self.is_denied(client, read), "a grant")  # noqa: B023
            client.close()

    def is_denied(self, client: psycopg.Connection[tuple], sql: str) -> bool:
        try:
            client.execute(sql)  # type: ignore[arg-type]
        except psycopg.errors.InsufficientPrivilege:
            return True
        return False

    def test_a_hit_under_transaction_pooling_touches_no_server(self) -> None:
        read = "SELECT n FROM cached"
        for prepare in (False, True):
            client, other = (self.connect(self.client(dbname="pooled")) for _ in range(2))
            self.value(client, read, prepare)
            wait_until(lambda: self.hits_of(client, read, prepare), "a hit")  # noqa: B023
            # The only server connection is taken: who needed one would wait in vain.
            other.execute("BEGIN")
            other.execute("SELECT 1")
            sent = self.metric("postern_routed_primary_total")
            for _ in range(3):
                self.assertEqual(self.value(client, read, prepare), 1)
            self.assertEqual(self.metric("postern_routed_primary_total"), sent)
            other.execute("ROLLBACK")
            client.close()
            other.close()

    def hits_of(self, client: psycopg.Connection[tuple], read: str, prepare: bool) -> bool:
        before = self.metric("postern_cache_hits_total")
        self.value(client, read, prepare)
        return self.metric("postern_cache_hits_total") > before

    def test_a_read_of_a_replica_that_takes_too_long_is_ended(self) -> None:
        slow = "SELECT count(*) FROM plain a, plain b, plain c, plain d"
        for dbname in ("direct", "pooled"):
            client = self.connect(self.client(dbname=dbname))
            routed = self.metric("postern_routed_replica_total")
            wait_until(lambda: self.goes_to_a_replica(client), "reads on the replica")  # noqa: B023
            began = time.monotonic()
            with self.assertRaises(psycopg.OperationalError):
                client.execute(slow)
            self.assertLess(time.monotonic() - began, 4)
            self.assertGreater(self.metric("postern_routed_replica_total"), routed)
            self.assertIn("PST-", self.postern.log.tail(20))
            busy = (
                "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%plain a%'"
                " AND pid <> pg_backend_pid()"
            )
            replica = self.cluster.replica.superuser.to(dbname=DATABASE)
            wait_until(lambda: not rows(replica, busy), "a replica at rest", 5)  # noqa: B023
            with connect(self.client(dbname=dbname)) as after:
                self.assertEqual(after.execute("SELECT 1").fetchone(), (1,))

    def test_a_row_cut_short_is_not_filled_up_with_an_error(self) -> None:
        """The time is over within a row that the client does not read: it ends there."""
        client = self.connect(self.client(dbname="direct"))
        wait_until(lambda: self.goes_to_a_replica(client), "reads on the replica")
        got = self.cut_short()
        row = got[got.index(b"D\x01") :]
        self.assertGreater(len(row), 100_000)
        self.assertLess(len(row), LONG_ROW)
        self.assertEqual(row[11:].strip(b"x"), b"")

    def cut_short(self) -> bytes:
        """What arrives of a long row of the replica, read only when the time is over."""
        replica = self.cluster.replica.superuser.to(dbname=DATABASE)
        blocked = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'ClientWrite'"
            " AND query LIKE '%repeat(%' AND pid <> pg_backend_pid()"
        )
        with connect(replica) as watcher, session(self.client(dbname="direct")) as wire:
            wire.send(query(f"SELECT repeat('x', {LONG_ROW}) FROM plain WHERE n = 1"))
            wait_until(
                lambda: watcher.execute(blocked).fetchone() is not None, "the row to be held up"
            )
            time.sleep(2)
            got = b""
            while part := wire.socket.recv(1 << 20):
                got += part
        return got

    def goes_to_a_replica(self, client: psycopg.Connection[tuple]) -> bool:
        before = self.metric("postern_routed_replica_total")
        client.execute("SELECT count(*) FROM plain")
        return self.metric("postern_routed_replica_total") > before


class WaitTest(RelayTest):
    """A cached read that misses and never gets a server: its intent does not stay open."""

    @classmethod
    def boot(cls) -> None:
        super().boot()
        with connect(cls.cluster.primary.superuser.to(dbname=DATABASE)) as owner:
            owner.execute("CREATE TABLE cached AS SELECT 1 AS n")
            owner.execute(f"ALTER TABLE cached OWNER TO {APP}")

    @classmethod
    def toml(cls, ports: Ports) -> str:
        more = MORE.replace('[routing]\npoll_interval = "100ms"\n', "")
        return super().toml(ports) + more + '[audit]\ndir = "log"\nkey_file = "log.key"\n'

    def open_intents(self) -> int:
        done = self.postern.cli("audit", "verify", "-c", "postern.toml", "--json")
        return int(json.loads(done.stdout)["open_intents"])

    def test_a_wait_in_vain_closes_the_intent_at_once(self) -> None:
        holder, client = (self.connect(self.client(dbname="pooled")) for _ in range(2))
        wait_until(lambda: self.read(client, 0) == 1, "a warm session")
        holder.execute("BEGIN")
        holder.execute("SELECT 1")
        time.sleep(0.5)
        before = self.open_intents()
        asked = self.metric_misses()
        with self.assertRaises(psycopg.OperationalError):
            self.read(client, 1)
        self.assertGreater(self.metric_misses(), asked)
        # Records are on disk within audit.flush_interval; the process goes on.
        wait_until(lambda: self.open_intents() == before, "the intent's end", 2)
        holder.execute("ROLLBACK")

    def read(self, client: psycopg.Connection[tuple], number: int) -> object:
        row = client.execute("SELECT n FROM cached WHERE n > %s - 1", (number,)).fetchone()
        return row[0] if row else None

    def metric_misses(self) -> int:
        url = f"http://127.0.0.1:{self.postern.ports.admin}/metrics"
        with urllib.request.urlopen(url, timeout=5) as page:
            found = [line for line in page.read().decode().splitlines()
                     if line.startswith("postern_cache_misses_total ")]  # fmt: skip
        return int(float(found[0].split()[-1]))


if __name__ == "__main__":
    import unittest

    unittest.main()
