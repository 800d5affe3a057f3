"""The wall of replicas: one that is behind the primary's answers no read until it caught up."""

from __future__ import annotations

from protected_base import DATABASE, OWN, ProtectedTest
from psql_client import connect, psql
from scratch import wait_until


class ReplicaWall(ProtectedTest):
    @classmethod
    def _serve(cls) -> None:
        cls.cluster.start_replica()
        super()._serve()

    @classmethod
    def toml(cls, ports: object) -> str:
        text = super().toml(ports)  # type: ignore[arg-type]
        primary = f'"127.0.0.1:{cls.cluster.primary.port}"'
        text = text.replace(
            f"nodes = [{primary}]", f'nodes = [{primary}, "127.0.0.1:{cls.cluster.replica.port}"]'
        )
        return text.replace(
            'mode = "enforce"', 'mode = "enforce"\nverify_interval = "500ms"'
        ) + "\n[routing]\n"

    def on_replica(self, sql: str) -> None:
        psql(self.cluster.replica.superuser.to(dbname=DATABASE), sql).checked()

    def test_a_replica_behind_the_wall_is_passed_over(self) -> None:
        with connect(self.login(OWN)) as client:
            before = client.execute("SELECT count(*) FROM evaluations").fetchone()
            self.on_replica("SELECT pg_wal_replay_pause()")
            psql(self.direct(), "CREATE TABLE later (tenant_id text NOT NULL, x int)").checked()
            log = self.postern.log
            wait_until(lambda: "replica_wall_drift" in log.since(), "the drift", 20)
            self.assertEqual(client.execute("SELECT count(*) FROM evaluations").fetchone(), before)
            self.assertNotIn('"event":"wall_drift"', log.since())
            self.on_replica("SELECT pg_wal_replay_resume()")
            wait_until(lambda: "replica_wall_stands" in log.since(), "the wall", 20)
            self.assertEqual(client.execute("SELECT count(*) FROM evaluations").fetchone(), before)
