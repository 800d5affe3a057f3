"""Reload on a protected database: rules change as a whole, and what cannot be applied blocks."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable

import psycopg

from protected_base import DATABASE, OWN, VICTIM, ProtectedTest
from psql_client import connect
from scratch import wait_until

EMAILS = "SELECT email FROM users ORDER BY user_id"


class ProtectedReloadTest(ProtectedTest):
    def setUp(self) -> None:
        super().setUp()
        self.good = self.postern.config.read_text()
        self.users = (self.postern.folder / "users.toml").read_text()
        self.addCleanup(self.back)
        self.client = connect(self.login(OWN))
        self.addCleanup(self.client.close)

    def reload(self, ends: str) -> None:
        mark = self.postern.log.mark()
        os.kill(self.postern.process.pid, signal.SIGHUP)
        wait_until(lambda: f" {ends} " in self.postern.log.since(mark), f"a line {ends}")

    def change(self, render: Callable[[str], str], ends: str = "policy_loaded") -> None:
        changed = render(self.good)
        self.assertNotEqual(changed, self.good)
        self.postern.write("postern.toml", changed)
        self.reload(ends)

    def back(self) -> None:
        self.postern.write("users.toml", self.users)
        self.postern.write("postern.toml", self.good)
        mark = self.postern.log.mark()
        self.reload("reloaded")
        if "changes=0" not in self.postern.log.since(mark):
            loaded = "policy_loaded"
            wait_until(lambda: loaded in self.postern.log.since(mark), "the rules to be back")

    def emails(self) -> list[str]:
        return [email for (email,) in self.client.execute(EMAILS).fetchall()]

    def test_column_rule_goes_and_comes_back(self) -> None:
        plain = self.emails()
        self.assertTrue(all("@" in email for email in plain))
        rule = re.search(r"\[\[column\]\][^\[]*name = \"email\"[^\[]*", self.good)
        assert rule is not None
        self.change(lambda text: text.replace(rule[0], ""))
        self.assertTrue(all(isinstance(sealed, bytes) for sealed in self.emails()))
        self.postern.write("postern.toml", self.good)
        self.reload("policy_loaded")
        self.assertEqual(self.emails(), plain)

    def test_rule_that_fits_nothing_blocks_until_it_is_mended(self) -> None:
        plain = self.emails()
        self.change(
            lambda text: text.replace('name = "full_name"', 'name = "no_such_column"'),
            "catalog_unreachable",
        )
        with self.assertRaises(psycopg.Error) as caught:
            self.emails()
        self.assertIn("no_such_column", str(caught.exception))
        self.postern.write("postern.toml", self.good)
        self.reload("policy_loaded")
        self.assertEqual(self.emails(), plain)

    def test_tenant_of_a_login_changes(self) -> None:
        self.emails()
        moved = self.users.replace(f'tenant = "{OWN}"', 'tenant = "moved"')
        self.postern.write("users.toml", moved)
        self.reload("reloaded")
        with self.assertRaises(psycopg.OperationalError):
            for _ in range(20):
                self.emails()
        self.assertIn("its tenant is another", self.postern.log.since())
        with connect(self.login(VICTIM)) as other:
            self.assertTrue(other.execute(EMAILS).fetchall())

    def test_what_needs_a_restart_is_left_alone(self) -> None:
        plain = self.emails()
        self.change(lambda text: text.replace("[tenant]", "[cache]\n[tenant]"), "reloaded")
        self.assertIn("cache: absent -> present (needs a restart)", self.postern.log.since())
        without_audit = re.sub(r"\[audit\][^\[]*", "", self.good)
        self.change(lambda _: without_audit, "reloaded")
        self.assertIn("audit: present -> absent (needs a restart)", self.postern.log.since())
        self.assertEqual(self.emails(), plain)
        self.postern.write("postern.toml", self.good)
        records = self.postern.cli_checked("audit", "search", "-c", "postern.toml", "--json")
        self.assertIn(DATABASE, records)
        self.postern.write("postern.toml", self.good + "\n[limits]\nmax_clients = 500\n")
        self.reload("reloaded")


if __name__ == "__main__":
    import unittest

    unittest.main()
