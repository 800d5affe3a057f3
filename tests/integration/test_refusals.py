"""SHOW REFUSALS on the console: what was refused, or would be, in every mode."""

from __future__ import annotations

import os
import secrets
import signal

import psycopg

from protected_base import DATABASE, OWN, ProtectedTest
from psql_client import Dsn, connect, psql
from scratch import wait_until

ADMIN, VIEWER, NOBODY = "operator", "monitor", f"{OWN}_app"
FORBIDDEN = "SET ROLE mapper_owner"
SEALED = "SELECT upper(full_name) FROM users"
COLUMNS = ["database", "user", "application_name", "code", "rule", "shape", "verdict", "count",
           "first_seen", "last_seen"]  # fmt: skip


class RefusalsTest(ProtectedTest):
    @classmethod
    def more_users(cls) -> str:
        for login in (ADMIN, VIEWER):
            cls.passwords[login] = secrets.token_hex(8)
        return "".join(f'[user.{login}]\npassword = "{cls.passwords[login]}"\n'
                       for login in (ADMIN, VIEWER))  # fmt: skip

    @classmethod
    def more_toml(cls) -> str:
        return f'[admin]\nadmin_users = ["{ADMIN}"]\nstats_users = ["{VIEWER}"]\n'

    @classmethod
    def prepare_files(cls) -> None:
        cls.postern.write("pins.shapes", "# none\n")

    def console(self, login: str) -> Dsn:
        return self.postern.login(login, self.passwords[login], "postern", "console")

    def mode(self, mode: str) -> None:
        pins = 'pins_file = "pins.shapes"\n' if mode == "pinned" else ""
        text = self.postern.config.read_text()
        head, rest = text.split("[policy]\n", 1)
        tail = rest[rest.index("[tenant]") :]
        self.postern.write("postern.toml", f'{head}[policy]\nmode = "{mode}"\n{pins}{tail}')
        mark = self.postern.log.mark()
        os.kill(self.postern.process.pid, signal.SIGHUP)
        wait_until(lambda: " reloaded " in self.postern.log.since(mark), "the reload")
        wait_until(lambda: self.shown("PROTECTION")[0]["mode"] == mode, f"mode {mode}")

    def shown(self, what: str, login: str = VIEWER) -> list[dict[str, str]]:
        with connect(self.console(login)) as connection:
            cursor = connection.execute(f"SHOW {what}")
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def of(self, application: str) -> list[dict[str, str]]:
        return [row for row in self.shown("REFUSALS") if row["application_name"] == application]

    def send(self, application: str, *statements: str) -> list[str]:
        """SQLSTATEs, empty for what passed."""
        out = []
        with connect(self.login(OWN).to(application=application)) as client:
            for statement in statements:
                try:
                    client.execute(statement)
                    out.append("")
                except psycopg.Error as error:
                    out.append(error.sqlstate or "?")
        return out

    def test_observed_ones_are_summed_by_application_and_shape(self) -> None:
        self.mode("observe")
        secret = secrets.token_hex(6)
        self.send("first", *[f"SELECT pg_sleep(0), '{secret}{n}'" for n in range(3)])
        self.send("first", *[f"SELECT '{secret}{n}', pg_ls_dir('{secret}')" for n in range(3)])
        self.send("second", f"SELECT '{secret}', pg_ls_dir('{secret}')")
        (seen,) = self.of("first")
        self.assertEqual(list(seen), COLUMNS)
        self.assertEqual((seen["database"], seen["user"]), (DATABASE, f"{OWN}_app"))
        self.assertEqual((seen["code"], seen["rule"]), ("PST-1502", "gate.function"))
        self.assertEqual((seen["verdict"], int(seen["count"])), ("observed", 3))
        self.assertRegex(seen["shape"], "^[0-9a-f]{16}$")
        self.assertLessEqual(seen["first_seen"], seen["last_seen"])
        (other,) = self.of("second")
        self.assertEqual((other["shape"], int(other["count"])), (seen["shape"], 1))
        self.assertNotIn(secret, str(self.shown("REFUSALS")))

    def test_what_no_mode_lets_pass_is_refused_in_observe_too(self) -> None:
        self.mode("observe")
        self.assertEqual(self.send("sealed", SEALED), ["0A000"])
        (seen,) = self.of("sealed")
        self.assertEqual((seen["code"], seen["verdict"]), ("PST-1511", "refused"))

    def test_enforced_ones_and_the_most_frequent_first(self) -> None:
        self.mode("enforce")
        self.assertEqual(self.send("app", *[FORBIDDEN] * 20), ["42501"] * 20)
        (seen,) = self.of("app")
        self.assertEqual((seen["code"], seen["verdict"]), ("PST-1503", "refused"))
        counts = [int(row["count"]) for row in self.shown("REFUSALS")]
        self.assertGreaterEqual(max(counts), 20)
        self.assertEqual(counts, sorted(counts, reverse=True))

    def test_pinned(self) -> None:
        self.mode("pinned")
        self.assertEqual(self.send("pins", "SELECT 1 + 1"), ["42501"])
        (seen,) = self.of("pins")
        self.assertEqual((seen["code"], seen["rule"]), ("PST-1523", "gate.pinned"))

    def test_who_has_no_role_sees_nothing(self) -> None:
        self.assertTrue(psql(self.console(ADMIN), "SHOW REFUSALS").rc == 0)
        refused = psql(self.console(NOBODY), "SHOW REFUSALS")
        self.assertNotEqual(refused.rc, 0)
        self.assertIn("PST-2430", refused.stderr)


if __name__ == "__main__":
    import unittest

    unittest.main()
