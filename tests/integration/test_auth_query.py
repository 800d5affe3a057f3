"""[auth.query]: secrets looked up on the server."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor

from auth_base import AuthTest
from postern_server import PosternServer
from scratch import wait_until

# Answers nobody whose startup parameters reached this connection.
GUARDED = (
    "SELECT * FROM auth.lookup($1)"
    " WHERE pg_catalog.current_setting('search_path') IN ('', '\\\"\\\"')"
)


class AuthQueryTest(AuthTest):
    """Nobody is in the users file but an alias without secret."""

    postern: PosternServer

    @classmethod
    def boot(cls) -> None:
        super().boot()
        cls.postern = cls.start_postern("postern", cls.query_of("asker", GUARDED))

    @classmethod
    def query_of(cls, user: str, statement: str = "") -> str:
        line = f'query = "{statement}"\n' if statement else ""
        return (
            f"failure_burst = 0\n[auth.query]\nuser = '{user}'\n"
            f"password = '{cls.passwords.get(user, cls.cluster.password)}'\n"
            f"ttl = '1s'\n{line}"
        )

    def test_a_login_of_the_server_is_found_and_passed_through(self) -> None:
        for _ in range(3):
            self.assertEqual(self.whoami(self.dsn(self.postern, "dave")), "dave")
        wrong = self.dsn(self.postern, "dave", "wrong")
        self.assertIn('password authentication failed for user "dave"', self.refusal(wrong))

    def test_unknown_and_expired_logins_look_the_same(self) -> None:
        for user in ("nobody_of_this_name", "late"):
            told = self.refusal(self.dsn(self.postern, user))
            self.assertIn(f'password authentication failed for user "{user}"', told)

    def test_expiry_given_by_the_statement_counts(self) -> None:
        superuser = self.start_postern("full", self.query_of("postgres"))
        self.assertEqual(self.whoami(self.dsn(superuser, "dave")), "dave")
        self.assertIn("authentication failed", self.refusal(self.dsn(superuser, "late")))
        self.cluster.primary.scalar("ALTER ROLE dave VALID UNTIL 'infinity'")
        time.sleep(1.1)
        self.assertEqual(self.whoami(self.dsn(superuser, "dave")), "dave")
        self.assertEqual(self.whoami(self.dsn(self.postern, "dave")), "dave")

    def test_startup_parameters_never_reach_the_lookup(self) -> None:
        self.cluster.primary.scalar("CREATE SCHEMA IF NOT EXISTS evil")
        time.sleep(1.1)
        dsn = self.dsn(self.postern, "carol")
        self.assertEqual(self.whoami(dsn, options="-c search_path=evil"), "carol")
        wait_until(lambda: len(self.sessions_of("asker")) == 1, "one connection for lookups")

    def test_a_new_password_is_taken_up(self) -> None:
        self.assertEqual(self.whoami(self.dsn(self.postern, "erin")), "erin")
        self.cluster.primary.scalar("ALTER ROLE erin PASSWORD 'rotated'")
        fresh = self.dsn(self.postern, "erin", "rotated")
        self.refusal(fresh)  # against the answer kept, which this makes Postern forget
        self.assertEqual(self.whoami(fresh), "erin")
        self.assertIn("authentication failed", self.refusal(self.dsn(self.postern, "erin")))

    def test_lookups_survive_the_loss_of_their_connection(self) -> None:
        self.assertEqual(self.whoami(self.dsn(self.postern, "carol")), "carol")
        self.cluster.primary.scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'asker'"
        )
        time.sleep(1.1)
        self.assertEqual(self.whoami(self.dsn(self.postern, "carol")), "carol")

    def test_lookups_of_one_name_under_way_are_one(self) -> None:
        statement = "SELECT l.* FROM auth.lookup($1) AS l, pg_catalog.pg_sleep(1) AS s"
        merged = self.start_postern("merged", self.query_of("asker", statement))
        # One after the other, the last of them would exceed the login timeout of 3 s.
        with ThreadPoolExecutor(6) as pool:
            dsn = self.dsn(merged, "dave")
            self.assertEqual(list(pool.map(lambda _: self.whoami(dsn), range(6))), ["dave"] * 6)

    def test_strangers_are_kept_from_what_is_protected(self) -> None:
        """The wall is verified for listed logins: others do not get in under their own role."""
        self.cluster.primary.scalar("CREATE TABLE people (c bytea)", "shop")
        protected = (
            f"[service]\nuser = 'postgres'\npassword = '{self.cluster.password}'\n"
            "[keys]\nfile = 'keys.store'\nkek_file = 'root.key'\n"
            "[[column]]\ndatabase = 'shop'\ntable = 'public.people'\nname = 'c'\ntype = 'text'\n"
            "scheme = 'randomized'\nkey_scope = 'global'\n"
            "uuid = '9f2b6c1e-3d0a-4a57-8e44-6b1f0c7d2a01'\n"
        )
        postern = self.start_postern(
            "guarded", self.query_of("asker", "SELECT * FROM auth.lookup($1)"), "[user.carol]\n",
            more=protected, keys=True,
        )  # fmt: skip
        self.assertIn("login is not listed", self.refusal(self.dsn(postern, "dave")))
        # Listed without a secret: found by the query, with options of its own.
        self.assertEqual(self.whoami(self.dsn(postern, "carol")), "carol")

    def test_a_lookup_that_hangs_meets_the_login_timeout(self) -> None:
        slow = self.start_postern(
            "slow", self.query_of("asker", "SELECT 'x', pg_catalog.pg_sleep(60)::text, $1")
        )
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", slow.ports.clients), timeout=20) as wire:
            wire.sendall(b"\0\0\0\x13\0\3\0\0user\0dave\0\0")
            self.assertEqual(wire.recv(100), b"")
        self.assertLess(time.monotonic() - started, 4.5)
        wait_until(lambda: "PST-1217" in slow.log.tail(), "the log line of the timeout")

    def test_while_no_server_can_be_asked_nobody_waits_in_line(self) -> None:
        """It accepts and says nothing: who asks first finds out, for the others and a second on."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            deaf = self.start_postern(
                "deaf", self.query_of("asker") + "cluster = 'hole'\n",
                more=f"[cluster.hole]\nnodes = ['127.0.0.1:{silent.getsockname()[1]}']\n"
                "connect_timeout = '1s'\n",
            )  # fmt: skip
            started = time.monotonic()
            with ThreadPoolExecutor(6) as pool:
                names = [self.dsn(deaf, "dave").to(user=f"dave{n}") for n in range(6)]
                told = list(pool.map(self.refusal, names))
            self.assertLess(time.monotonic() - started, 2.5)
            self.assertEqual([("cannot be looked up" in text) for text in told], [True] * 6)
            started = time.monotonic()
            self.assertIn("cannot be looked up", self.refusal(names[0].to(user="dave7")))
            self.assertLess(time.monotonic() - started, 0.7)

    def test_a_server_that_cannot_be_asked_is_no_wrong_password(self) -> None:
        broken = self.start_postern("broken", self.query_of("asker", "SELECT 1/0, $1::text"))
        told = self.refusal(self.dsn(broken, "dave"))
        self.assertIn("cannot be looked up", told)
        self.assertNotIn("division", told)
        self.assertIn("division by zero", broken.log.tail())
