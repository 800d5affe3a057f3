"""Which of several nodes is the primary, found without [service]."""

from __future__ import annotations

from base import ClusterTest
from scratch import wait_until
from wire import Wire, query


class StandbyFirst(ClusterTest):
    """Two nodes, the standby first, and no [service] that watches their roles."""

    @classmethod
    def boot(cls) -> None:
        cls.cluster.start_primary()
        cls.cluster.start_replica(settings={"log_connections": "on"})

    def logins_at_standby(self) -> int:
        return self.cluster.replica.log.since().count(" user=app ")

    def test_the_primary_once_found_is_tried_first(self) -> None:
        primary, standby = self.cluster.primary, self.cluster.replica
        primary.scalar("CREATE ROLE app LOGIN PASSWORD 'secret'")
        wait_until(
            lambda: standby.scalar("SELECT count(*) FROM pg_roles WHERE rolname = 'app'") == "1",
            "the role on the standby",
        )
        postern = self.cluster.add_postern()
        postern.write("users.toml", "[user.app]\npassword = 'secret'\n")
        postern.start(lambda ports: f"""\
[listen]
port = {ports.clients}
[cluster.main]
nodes = ["127.0.0.1:{standby.port}", "127.0.0.1:{primary.port}"]
[database."*"]
cluster = "main"
[auth]
users_file = "users.toml"
""")
        dsn = postern.login("app", "secret", "postgres", "standby first")

        def is_standby() -> bytes | None:
            with Wire(dsn.port) as wire:
                wire.login(dsn)
                answers = wire.ask(query("SELECT pg_is_in_recovery()"))
                return next(m.values()[0] for m in answers if m.type == "D")

        self.assertEqual(is_standby(), b"f")
        asked_first = self.logins_at_standby()
        self.assertGreater(asked_first, 0)
        for _ in range(3):
            self.assertEqual(is_standby(), b"f")
        self.assertEqual(self.logins_at_standby(), asked_first)
        # The one remembered is gone, and the other takes its place.
        primary.stop()
        standby.scalar("SELECT pg_promote()")
        self.assertEqual(is_standby(), b"f")
        self.assertGreater(self.logins_at_standby(), asked_first)
