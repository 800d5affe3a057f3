"""Replication connections: relayed for who may, refused for everyone else."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

from auth_base import AuthTest
from managed_process import ManagedProcess
from pg_server import PG_BIN
from postern_server import PosternServer
from psql_client import Dsn
from scratch import wait_until
from wire import Wire, query

USERS = """\
[user.streamer]
password = '{streamer}'
replication = true
[user.app]
password = '{app}'
[user.dave]
password = '{dave}'
"""


class ReplicationTest(AuthTest):
    """`streamer` may; a second Postern protects one column of the same cluster."""

    postern: PosternServer

    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.cluster.primary.scalar("ALTER ROLE dave REPLICATION")
        cls.users = USERS.format(**cls.passwords)
        cls.audit = "[audit]\ndir = 'audit'\nkey_file = 'audit.key'\n"
        service = f"[service]\nuser = 'postgres'\npassword = '{cls.cluster.password}'\n"
        cls.service = service
        cls.postern = cls.start_postern("postern", "", cls.users, more=service + cls.audit)

    def backup(self, dsn: Dsn, name: str) -> subprocess.CompletedProcess[str]:
        folder = self.cluster.scratch.folder(name, 0o700)
        return self.cluster.scratch.run(
            [PG_BIN / "pg_basebackup", "-D", folder, "-X", "stream", "--checkpoint=fast",
             "--no-sync", "--no-password"],
            env=dsn.environment(), timeout=120,
        )  # fmt: skip

    def psql(self, dsn: Dsn, mode: str, *commands: str) -> subprocess.CompletedProcess[str]:
        """psql on a replication connection."""
        argv = ["psql", "-X", "-A", "-t", f"dbname={dsn.dbname} replication={mode}"]
        for command in commands:
            argv += ["-c", command]
        return self.cluster.scratch.run(argv, env=dsn.environment(), timeout=60)

    def replication_refused(self, dsn: Dsn, mode: str) -> str:
        done = self.psql(dsn, mode, "IDENTIFY_SYSTEM")
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_a_base_backup_with_wal_streaming_is_whole(self) -> None:
        for sslmode in ("disable", "require"):
            with self.subTest(sslmode):
                dsn = self.dsn(self.postern, "streamer").to(sslmode=sslmode)
                done = self.backup(dsn, f"backup_{sslmode}")
                self.assertEqual(done.returncode, 0, done.stderr)
                checked = self.cluster.scratch.run(
                    [PG_BIN / "pg_verifybackup",
                     self.cluster.scratch.path / f"backup_{sslmode}"], timeout=60,
                )  # fmt: skip
                self.assertEqual(checked.returncode, 0, checked.stderr)

    def test_wal_is_received_as_it_is_written(self) -> None:
        folder, _ = self.receiver(self.postern, "wal")
        self.cluster.primary.scalar("SELECT pg_switch_wal()")
        wait_until(
            lambda: bool([f for f in folder.iterdir() if len(f.name) == 24]), "a whole segment"
        )

    def receiver(self, postern: PosternServer, name: str) -> tuple[Path, ManagedProcess]:
        """pg_receivewal that has begun to write into a folder of this name."""
        folder = self.cluster.scratch.folder(name)
        receiver = ManagedProcess(
            f"receive_{name}", self.cluster.scratch,
            [PG_BIN / "pg_receivewal", "-D", folder, "--no-password", "--no-loop"],
            cwd=folder, env=self.dsn(postern, "streamer").environment(),
            stop_signal=signal.SIGINT,
        )  # fmt: skip
        self.addCleanup(receiver.stop)
        receiver.start(lambda: bool(list(folder.glob("*.partial"))))
        return folder, receiver

    def test_a_stop_of_postern_ends_the_stream_at_once(self) -> None:
        postern = self.start_postern("stopping", "", self.users)
        _, receiver = self.receiver(postern, "wal_stopping")
        begun = time.monotonic()
        self.assertEqual(postern.stop(), 0)
        self.assertLess(time.monotonic() - begun, 5)
        wait_until(lambda: not receiver.running(), "the receiver to notice")
        self.assertIn("replication_ended", postern.log.since())

    def test_logical_replication_runs_queries_on_its_connection(self) -> None:
        dsn = self.dsn(self.postern, "streamer")
        done = self.psql(dsn, "database", "IDENTIFY_SYSTEM", "SELECT current_database()")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.strip().endswith("shop"), done.stdout)

    def test_a_base_backup_over_a_connection_to_a_database_needs_the_same_leave(self) -> None:
        """replication=database is a replication connection too: BASE_BACKUP shows every file."""
        command = "BASE_BACKUP (CHECKPOINT 'fast', PROGRESS false, WAL false)"
        for user, permitted in (("streamer", True), ("dave", False), ("app", False)):
            with Wire(self.postern.ports.clients) as wire:
                last = wire.login(self.dsn(self.postern, user), {"replication": "database"})[-1]
                self.assertEqual(last.type, "Z" if permitted else "E", user)
                if not permitted:
                    self.assertIn("PST-1108", str(last.fields()))
                    continue
                wire.send(query(command))
                copied = sum(len(m.body) for m in wire.until_ready() if m.type == "d")
                self.assertGreater(copied, 1 << 20)
        with Wire(self.postern.ports.clients) as wire:  # an ordinary session has no such command
            wire.login(self.dsn(self.postern, "streamer"))
            self.assertEqual(wire.ask(query(command))[0].sqlstate(), "42601")

    def test_everyone_else_is_refused(self) -> None:
        for mode in ("true", "database"):
            told = self.replication_refused(self.dsn(self.postern, "dave"), mode)
            self.assertIn("replication connections are not permitted", told)
            self.assertIn("PST-1108", told)

    def test_a_rule_that_names_replication_permits_it(self) -> None:
        rules = (
            '[[auth.rule]]\nuser = ["dave"]\ndatabase = ["replication"]\n'
            'method = "scram-sha-256"\n'
        )
        postern = self.start_postern("ruled", rules, self.users)
        done = self.backup(self.dsn(postern, "dave"), "backup_dave")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = self.replication_refused(self.dsn(postern, "streamer"), "true")
        self.assertIn("no rule admits", told)

    def test_what_is_protected_is_shown_to_backup_and_admin_only(self) -> None:
        column = (
            '[[column]]\ndatabase = "other"\ntable = "public.t"\nname = "c"\nmask = "null"\n'
        )
        users = self.users + f"[user.erin]\npassword = '{self.passwords['erin']}'\n"
        users = users.replace("replication = true", "replication = true\nprofile = 'app'")
        more = self.service + column
        guarded = self.start_postern("guarded", "", users, more=more)
        told = self.replication_refused(self.dsn(guarded, "streamer"), "true")
        self.assertIn("PST-1108", told)
        keeper = self.start_postern("keeper", "", users.replace("'app'", "'backup'"), more=more)
        done = self.backup(self.dsn(keeper, "streamer"), "backup_keeper")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_is_on_the_access_log_as_not_understood(self) -> None:
        before = len(self.opaque_records())
        done = self.backup(self.dsn(self.postern, "streamer"), "backup_logged")
        self.assertEqual(done.returncode, 0, done.stderr)
        wait_until(lambda: len(self.opaque_records()) >= before + 2, "records of two connections")

    def opaque_records(self) -> list[str]:
        shown = self.postern.cli("audit", "search", "-c", "postern.toml", "--json")
        records = [json.loads(line) for line in shown.stdout.splitlines() if line.startswith("{")]
        texts = [json.dumps(record) for record in records]
        return [text for text in texts if "streamer" in text and '"opaque": true' in text]
