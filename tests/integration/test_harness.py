"""The harness proves itself: servers come up, replication works, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

from base import FIXTURES, ClusterTest, create_database, load_llama_mapper, processes_in
from cluster import Cluster
from psql_client import connect, psql, rows, scalar
from scratch import HarnessError, wait_until

SUPPORT = Path(__file__).resolve().parents[1] / "support"


class ServersTest(ClusterTest):
    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary()
        cls.cluster.start_replica()
        cls.cluster.start_redis()

    def test_replica_replays_what_the_primary_writes(self) -> None:
        primary, replica = self.cluster.primary, self.cluster.replica
        primary.scalar("CREATE TABLE pair AS SELECT 42 AS answer")
        replica.wait_for_replay_of(primary)
        self.assertEqual(replica.scalar("SELECT answer FROM pair"), "42")
        self.assertEqual(replica.scalar("SELECT pg_is_in_recovery()"), "t")

    def test_paused_replica_stays_behind_until_resumed(self) -> None:
        primary, replica = self.cluster.primary, self.cluster.replica
        primary.scalar("CREATE TABLE late (n int)")
        replica.wait_for_replay_of(primary)
        replica.pause_replay()
        try:
            primary.scalar("INSERT INTO late VALUES (1)")
            with self.assertRaises(HarnessError):
                replica.wait_for_replay_of(primary, timeout=0.5)
            self.assertEqual(replica.scalar("SELECT count(*) FROM late"), "0")
        finally:
            replica.resume_replay()
        replica.wait_for_replay_of(primary)
        self.assertEqual(replica.scalar("SELECT count(*) FROM late"), "1")

    def test_statements_appear_in_the_right_log(self) -> None:
        primary, replica = self.cluster.primary, self.cluster.replica
        primary.log_statements("all")
        before = primary.log.mark()
        primary.scalar("SELECT 1 AS only_here")
        self.assertIn("only_here", primary.log.since(before))
        self.assertIn("user=postgres", primary.log.since(before))
        self.assertNotIn("only_here", replica.log.since())

    def test_wrong_password_is_refused(self) -> None:
        result = psql(self.cluster.primary.superuser.to(password="wrong"), "SELECT 1")
        self.assertEqual(result.rc, 2)
        self.assertIn("password authentication failed", result.stderr)

    def test_redis_dump_shows_every_type_of_value(self) -> None:
        redis = self.cluster.redis
        redis.cli("SET", "text", "canary-string")
        redis.cli("HSET", "map", "field", "canary-hash")
        redis.cli("SADD", "set", "canary-set")
        for canary in (b"canary-string", b"canary-hash", b"canary-set"):
            self.assertIn(canary, redis.dump())

    def test_psycopg_connects_with_parameters(self) -> None:
        with connect(self.cluster.primary.superuser) as connection:
            self.assertEqual(connection.execute("SELECT %s::int + 1", (41,)).fetchone(), (42,))


class FixtureTest(ClusterTest):
    def test_llama_mapper_loads_with_its_defects(self) -> None:
        dsn = create_database(self.cluster, "plain")
        load_llama_mapper(dsn)
        total = scalar(dsn, "SELECT sum(n_live_tup) FROM pg_stat_user_tables")
        self.assertGreaterEqual(int(total), 100_000)
        self.assertEqual(scalar(dsn, "SELECT count(*) FROM users"), "2000")
        self.assertEqual(scalar(dsn, "SELECT count(*) FROM feedback WHERE tenant_id IS NULL"), "20")
        self.assertEqual(scalar(dsn, "SELECT count(*) FROM feedback WHERE rating > 5"), "40")
        orphans = "SELECT count(*) FROM feedback f WHERE NOT EXISTS "
        orphans += "(SELECT FROM mapping_records r WHERE r.record_id = f.record_id)"
        self.assertEqual(scalar(dsn, orphans), "10")

    def test_protected_columns_take_nothing_but_containers(self) -> None:
        dsn = create_database(self.cluster, "protected")
        load_llama_mapper(dsn, protected=True)
        columns = rows(
            dsn,
            "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass"
            " AND atttypid = 'postern.pe1'::regtype ORDER BY 1",
        )
        self.assertEqual(
            [name for (name,) in columns], ["birth_date", "email", "full_name", "national_id"]
        )
        for value, fits in (("f5500111" + "00" * 44, True), ("f5500111" + "00" * 43, False),
                            ("f5500112" + "00" * 44, False), ("f5500211" + "00" * 44, False),
                            ("61" * 48, False)):  # fmt: skip
            result = psql(dsn, f"SELECT '\\x{value}'::bytea::postern.pe1")
            self.assertEqual(result.rc == 0, fits, value)

    def test_every_defect_names_an_object_that_exists(self) -> None:
        dsn = create_database(self.cluster, "named")
        load_llama_mapper(dsn)
        listed = tomllib.loads((FIXTURES / "llama_mapper" / "defects.toml").read_text())
        ids = [defect["id"] for defect in listed["defect"]]
        self.assertEqual(len(ids), len(set(ids)))
        names = rows(
            dsn,
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " UNION SELECT conname FROM pg_constraint",
        )
        for entry in listed["defect"] + listed["sound"]:
            name = entry["object"].split(" ")[0].split(".")[1]
            self.assertIn((name,), names, entry)


class TeardownTest(unittest.TestCase):
    def test_leaves_no_process_and_no_folder(self) -> None:
        with Cluster() as cluster:
            folder = cluster.scratch.path
            cluster.start_primary()
            cluster.start_replica()
            cluster.start_redis()
            self.assertGreater(len(processes_in(folder)), 3)
        self.assertEqual(processes_in(folder), [])
        self.assertFalse(folder.exists())

    def test_tears_down_after_an_error_and_after_kill_nine(self) -> None:
        with self.assertRaises(ZeroDivisionError), Cluster() as cluster:
            folder = cluster.scratch.path
            cluster.start_primary()
            cluster.primary.kill()
            raise ZeroDivisionError
        wait_until(lambda: not processes_in(folder), "backends to notice")
        self.assertFalse(folder.exists())

    def test_interrupted_or_killed_harness_leaves_no_server(self) -> None:
        program = (
            "from cluster import Cluster\n"
            "import time\n"
            "with Cluster() as c:\n"
            "    c.start_primary(); c.start_redis()\n"
            "    print(c.scratch.path, flush=True)\n"
            "    time.sleep(60)\n"
        )
        for which in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=which.name):
                child = subprocess.Popen(
                    [sys.executable, "-c", program],
                    env={**os.environ, "PYTHONPATH": str(SUPPORT)},
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                )  # fmt: skip
                assert child.stdout is not None
                with child.stdout:
                    folder = Path(child.stdout.readline().strip())
                    child.send_signal(which)
                    child.wait(30)
                wait_until(lambda at=folder: not processes_in(at), f"no process in {folder}", 20)
                if which is signal.SIGKILL:
                    subprocess.run(["rm", "-rf", "--", str(folder)], check=True)
                self.assertFalse(folder.exists())


class SanitizerTest(unittest.TestCase):
    def run_one(self, **env: str) -> subprocess.CompletedProcess[str]:
        run = Path(__file__).with_name("run")
        return subprocess.run(
            [sys.executable, str(run), "SanitizerTest.test_nothing"],
            env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def test_nothing(self) -> None:
        """What the other one runs."""

    def test_a_report_fails_the_run(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            clean = self.run_one(SANITIZER_REPORTS=folder)
            self.assertEqual((clean.returncode, clean.stdout.splitlines()[-1]),
                             (0, "1 passed, 0 failed"))  # fmt: skip
            (Path(folder) / "report.4711").write_text("==4711==ERROR: heap-use-after-free")
            failed = self.run_one(SANITIZER_REPORTS=folder)
        self.assertEqual((failed.returncode, failed.stdout.splitlines()[-1]),
                         (1, "0 passed, 1 failed"))  # fmt: skip
        self.assertIn("heap-use-after-free", failed.stderr)
