"""Reload under open sessions: whoever logged in under other rules shares nothing with the new."""

from __future__ import annotations

import threading

import psycopg

from postern_server import Ports, PosternServer
from psql_client import Dsn, connect, psql
from relay_base import APP, CLIENT, DATABASE
from reload_base import ReloadBase
from scratch import wait_until
from wire import query, session

RULE = """\
[[column]]
database = "pooled"
table = "public.guarded"
name = "secret"
type = "text"
scheme = "randomized"
key_scope = "global"
uuid = "9f2b6c1e-3d0a-4a57-8e44-6b1f0c7d2a01"
"""
SECOND = "second"


class ReloadSessionsTest(ReloadBase):
    """"pooled" hands one server connection from client to client."""

    @classmethod
    def boot(cls) -> None:
        super().boot()
        superuser = cls.cluster.primary.superuser.to(dbname=DATABASE)
        psql(superuser, "CREATE TABLE guarded (secret bytea, n int)").checked()

    @classmethod
    def add_postern(cls, name: str) -> PosternServer:
        postern = super().add_postern(name)
        postern.configure(cls.toml)
        postern.cli_checked("keys", "init", "-c", "postern.toml")
        return postern

    @classmethod
    def toml(cls, ports: Ports) -> str:
        return super().toml(ports) + (
            '[keys]\nfile = "keys.store"\nkek_file = "root.key"\n'
            f'[database.pooled]\ncluster = "main"\nupstream = "{DATABASE}"\nuser = "{APP}"\n'
            'password_file = "app.password"\npool_mode = "transaction"\npool_size = 1\n'
        )

    def setUp(self) -> None:
        super().setUp()
        # A profile of its own: protection does not change it.
        self.own.write("users.toml", "".join(
            f'[user.{name}]\npassword = "{self.passwords[CLIENT]}"\nprofile = "app"\n'
            for name in (CLIENT, SECOND)
        ))  # fmt: skip
        self.hup()

    def pooled(self, user: str = CLIENT) -> Dsn:
        return self.dsn(dbname="pooled", user=user)

    def protect(self) -> None:
        self.reload(lambda text: text + RULE)

    def wait_for_rules(self) -> None:
        """Until they are known nothing passes."""
        def passes() -> bool:
            try:
                with connect(self.pooled()) as client:
                    client.execute("SELECT 1")
            except psycopg.Error:
                return False
            return True

        wait_until(passes, "the rules")

    def test_protection_ends_the_sessions_of_before(self) -> None:
        kept, busy = connect(self.pooled()), session(self.pooled(SECOND))
        self.addCleanup(kept.close)
        before = self.pid(kept)
        with busy as wire:
            wire.ask(query("BEGIN"))
            self.protect()
            # In a transaction as well nothing passes that the rules were not asked about.
            wire.send(query("SELECT * FROM guarded"))
            self.assertEqual([m.sqlstate() for m in wire.until_end()], ["57P01"])
        self.assert_ended(kept, "its database is protected now")
        sql = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {before}"
        count = lambda: self.cluster.primary.scalar(sql)  # noqa: E731
        wait_until(lambda: count() == "0", "the connection of before to close")

    def test_logins_of_a_protected_database_share_no_connection(self) -> None:
        first, second = connect(self.pooled()), connect(self.pooled(SECOND))
        self.assertEqual(self.pid(first), self.pid(second))
        first.close()
        second.close()
        self.protect()
        self.wait_for_rules()
        with connect(self.pooled()) as first, connect(self.pooled(SECOND)) as second:
            self.assertNotEqual(self.pid(first), self.pid(second))

    def test_protection_taken_away_ends_sessions_as_well(self) -> None:
        self.protect()
        self.wait_for_rules()
        kept = connect(self.pooled())
        self.addCleanup(kept.close)
        self.pid(kept)
        self.reload(lambda text: text.replace(RULE, ""))
        self.assert_ended(kept, "its database is no longer protected")

    def test_server_connection_begun_before_a_reload_is_not_kept(self) -> None:
        """The server's login is held up while the reload changes what it was made with."""
        hold = connect(self.cluster.primary.superuser.to(dbname="postgres"))
        self.addCleanup(hold.close)
        hold.execute("BEGIN")
        # Every new session of the server reads this table.
        hold.execute("LOCK TABLE pg_catalog.pg_db_role_setting")
        found: list[psycopg.Connection[tuple]] = []
        login = threading.Thread(target=lambda: found.append(connect(self.dsn())))
        login.start()
        try:
            wait_until(lambda: hold.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
                       .fetchone() == (1,), "a login that is held up")  # fmt: skip
            self.assertEqual(found, [])
            self.own.write("app.password", "another\n")
            self.hup()
        finally:
            hold.execute("ROLLBACK")
        login.join(10)
        self.assertEqual(len(found), 1, "the login goes on with what it had read")
        self.addCleanup(found[0].close)
        pid = self.pid(found[0])
        found[0].close()
        sql = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}"
        wait_until(lambda: self.cluster.primary.scalar(sql) == "0", "the connection to close", 5)

    def test_other_pool_mode_is_that_of_new_sessions(self) -> None:
        held = self.open()
        held.execute("CREATE TEMP TABLE mine AS SELECT 7 AS n")
        pid = self.pid(held)
        mode = '[database.relay]\npool_mode = "statement"\npool_size = 2\n'
        self.reload(lambda text: text.replace("[database.relay]\n", mode))
        self.assertRegex(self.changed(), "database.relay.pool_mode: .*session.* -> .*statement")
        # Of before: as it began, whatever new sessions do.
        with held.transaction():
            self.assertEqual(held.execute("SELECT n FROM mine").fetchone(), (7,))
        self.assertEqual(self.pid(held), pid)
        held.close()
        with session(self.dsn()) as wire:
            wire.send(query("BEGIN"))
            self.assertIn("PST-2452", str([m.fields() for m in wire.until_end()]))
        first, second = self.open(), self.open()
        self.assertNotEqual(self.pid(first), pid)
        # The connection is given back a moment after the answer.
        wait_until(lambda: self.pid(first) == self.pid(second), "one connection in turns")
        self.reload(lambda text: text.replace('"statement"', '"session"'))
        third = self.open()
        wait_until(lambda: self.pid(first) == self.pid(second), "the same as before")
        self.assertNotEqual(self.pid(third), self.pid(first))

if __name__ == "__main__":
    import unittest

    unittest.main()
