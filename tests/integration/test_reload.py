"""Reload while serving: what is taken over, what is refused, and who notices."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import ssl
import urllib.request

import psycopg

from psql_client import connect
from relay_base import APP, CLIENT, DATABASE, TWIN
from reload_base import ReloadBase
from scratch import wait_until
from wire import session


class ReloadTest(ReloadBase):
    def test_the_reason_is_told_on_the_wire(self) -> None:
        with session(self.dsn()) as wire:
            self.own.write("users.toml", '[user.somebody]\npassword = "x"\n')
            self.hup()
            told = wire.until_end()
            self.assertEqual([message.sqlstate() for message in told], ["57P01"])
            self.assertIn("its login was removed", told[0].fields()["M"])

    # --- values -----------------------------------------------------------------------------------

    def test_nothing_changed(self) -> None:
        self.assertIn("changes=0", self.hup())
        self.assertIn("nothing changed", self.changed())

    def test_limit_is_in_force_at_once(self) -> None:
        kept = self.open()
        self.reload(lambda text: text.replace("[limits]", "[limits]\nmax_clients = 1"))
        self.assertIn("limits.max_clients: 10000 -> 1", self.changed())
        with self.assertRaises(psycopg.OperationalError) as caught:
            connect(self.dsn())
        self.assertIn("too many clients", str(caught.exception))
        self.assertEqual(kept.execute("SELECT 1").fetchone(), (1,))

    def test_pool_keeps_the_size_of_its_login(self) -> None:
        """At the server it is another login, which the users file does not have."""
        def size() -> str:
            url = f"http://127.0.0.1:{self.own.ports.admin}/metrics"
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = answer.read().decode()
            labels = f'database="{DATABASE}",user="{APP}"'
            found = re.search(rf"postern_pool_size{{.*{labels}}} (\d+)", text)
            return found[1] if found else ""

        def users(pool_size: int) -> None:
            self.own.write("users.toml", f'[user.{CLIENT}]\npassword = '
                           f'"{self.passwords[CLIENT]}"\npool_size = {pool_size}\n')  # fmt: skip

        users(3)
        self.hup()
        self.open().execute("SELECT 1")
        self.assertEqual(size(), "3")
        self.reload(lambda text: text.replace("[limits]", "[limits]\nmax_clients = 50"))
        self.assertEqual(size(), "3")
        users(4)
        self.hup()
        self.assertEqual(size(), "4")

    def test_key_that_needs_a_restart_is_named_and_left(self) -> None:
        line = self.reload(lambda text: text.replace("workers = 2", "workers = 1"))
        self.assertIn("need_restart=1", line)
        self.assertIn("listen.workers: 2 -> 1 (needs a restart)", self.changed())
        self.assertIn("need_restart=1", self.hup())

    def test_mistake_changes_nothing_and_names_its_line(self) -> None:
        kept = self.open()
        good = self.text
        for mistake, what in (
            ("[limits]\nmax_clients = \"many\"", r"postern\.toml:\d+: limits\.max_clients"),
            ("[limits]\nmax_clientz = 5", r"postern\.toml:\d+: limits\.max_clientz"),
            ("[limits]\n[limits", r"postern\.toml:\d+"),
        ):
            self.own.write("postern.toml", good.replace("[limits]", mistake))
            self.assertRegex(self.hup("reload_failed"), what)
        for key, broken in (("tls.crt", "no certificate"), ("users.toml", "[user.x]\n")):
            path = self.own.folder / key
            kept_content = path.read_text()
            self.own.write("postern.toml", good)
            self.own.write(key, broken)
            self.hup("reload_failed")
            self.own.write(key, kept_content)
        self.assertEqual(kept.execute("SELECT 1").fetchone(), (1,))
        self.open().close()
        self.assertIn("changes=0", self.hup())

    def test_secrets_stay_out_of_the_report(self) -> None:
        secret = "s3cret-" + secrets.token_hex(6)
        self.own.write("users.toml", f'[user.{CLIENT}]\npassword = "{secret}"\n')
        self.hup()
        self.assertIn(f"user.{CLIENT}.password: secret -> secret (changed)", self.changed())
        self.assertNotIn(secret, self.own.log.since())
        self.assertNotIn(self.passwords[CLIENT], self.own.log.since())

    # --- users ------------------------------------------------------------------------------------

    def test_users_file_is_read_again_though_the_main_file_is_the_same(self) -> None:
        kept = self.open()
        self.own.write(
            "users.toml",
            f'[user.{CLIENT}]\npassword = "{self.passwords[CLIENT]}"\n'
            '[user.second]\npassword = "two"\n',
        )
        self.hup()
        self.assertIn("user second: added", self.changed())
        connect(self.dsn(user="second", password="two")).close()
        self.assertEqual(kept.execute("SELECT 1").fetchone(), (1,))

    def test_other_password_keeps_sessions_and_refuses_the_old_one(self) -> None:
        kept = self.open()
        self.own.write("users.toml", f'[user.{CLIENT}]\npassword = "other"\n')
        self.hup()
        with self.assertRaises(psycopg.OperationalError):
            connect(self.dsn())
        connect(self.dsn(password="other")).close()
        self.assertEqual(kept.execute("SELECT 1").fetchone(), (1,))

    def test_removed_user_loses_the_session_between_transactions(self) -> None:
        busy = self.open()
        busy.autocommit = False
        busy.execute("SELECT 1")
        idle = self.open()
        self.own.write("users.toml", '[user.somebody]\npassword = "x"\n')
        self.hup()
        self.assert_ended(idle, "its login was removed")
        self.assertEqual(busy.execute("SELECT 2").fetchone(), (2,))
        busy.commit()
        self.assert_ended(busy, "its login was removed")

    def test_other_profile_ends_the_session(self) -> None:
        kept = self.open()
        self.own.write(
            "users.toml",
            f'[user.{CLIENT}]\npassword = "{self.passwords[CLIENT]}"\nprofile = "admin"\n',
        )
        self.hup()
        self.assert_ended(kept, "its profile is another")
        self.open().close()

    # --- databases and servers --------------------------------------------------------------------

    def test_database_that_comes_and_goes(self) -> None:
        section = f'[database.extra]\ncluster = "main"\nuser = "{APP}"\n' \
                  f'password_file = "app.password"\nupstream = "{TWIN}"\n'
        with self.assertRaises(psycopg.OperationalError):
            connect(self.dsn(dbname="extra"))
        self.reload(lambda text: text + section)
        self.assertIn("database extra: added", self.changed())
        extra = self.open(dbname="extra")
        self.assertEqual(extra.execute("SELECT current_database()").fetchone(), (TWIN,))
        self.reload(lambda text: text.replace(section, ""))
        self.assertIn("database extra: removed", self.changed())
        self.assert_ended(extra, "its database was removed")
        with self.assertRaises(psycopg.OperationalError):
            connect(self.dsn(dbname="extra"))
        self.reload(lambda text: text + section)
        self.open(dbname="extra").close()

    def test_database_that_leads_elsewhere(self) -> None:
        section = f'[database.moving]\ncluster = "main"\nuser = "{APP}"\n' \
                  'password_file = "app.password"\n'
        self.reload(lambda text: text + section + f'upstream = "{DATABASE}"\n')
        moving = self.open(dbname="moving")
        moving.autocommit = False
        place = "SELECT current_database()"
        self.assertEqual(moving.execute(place).fetchone(), (DATABASE,))
        self.reload(lambda text: text.replace(f'upstream = "{DATABASE}"', f'upstream = "{TWIN}"'))
        self.assertEqual(moving.execute(place).fetchone(), (DATABASE,))
        moving.rollback()
        self.assert_ended(moving, "its database leads elsewhere now")
        self.assertEqual(self.open(dbname="moving").execute(place).fetchone(), (TWIN,))

    def test_other_password_of_the_server_login_closes_its_connections(self) -> None:
        first = self.open()
        pid = self.pid(first)
        second = self.open()
        busy = self.pid(second)
        first.close()
        wait_until(lambda: str(pid) in self.backends("idle"), "a pooled connection")
        self.own.write("app.password", "wrong\n")
        self.hup()
        wait_until(lambda: str(pid) not in self.backends(), "that the pool is emptied")
        self.assertEqual(self.pid(second), busy)
        self.own.write("app.password", self.passwords[APP] + "\n")
        self.hup()
        second.close()
        wait_until(lambda: str(busy) not in self.backends(), "that the busy one is not kept")
        self.assertNotIn(self.pid(self.open()), (pid, busy))

    def test_nodes_that_are_exchanged(self) -> None:
        kept = self.open()
        port = self.cluster.primary.port
        self.reload(lambda text: text.replace(f'"127.0.0.1:{port}"',
                                              f'"127.0.0.1:{port}", "localhost:{port}"'))
        self.assertEqual(kept.execute("SELECT 1").fetchone(), (1,))
        self.reload(lambda text: text.replace(f'"127.0.0.1:{port}", ', ""))
        self.assert_ended(kept, "its node was removed")
        self.open().close()

    def test_larger_and_smaller_pool(self) -> None:
        first = self.open(dbname="narrow")
        with self.assertRaises(psycopg.OperationalError):
            connect(self.dsn(dbname="narrow"))
        self.reload(lambda text: text.replace("pool_size = 1", "pool_size = 2"))
        second = self.open(dbname="narrow")
        self.reload(lambda text: text.replace("pool_size = 2", "pool_size = 1"))
        pids = {self.pid(first), self.pid(second)}
        first.close()
        # One too many: what was given back is closed, and the other is the only one.
        with self.assertRaises(psycopg.OperationalError):
            connect(self.dsn(dbname="narrow"))
        second.close()
        self.open(dbname="narrow").close()
        wait_until(lambda: len(pids & {int(pid) for pid in self.backends()}) <= 1, "one that stays")

    # --- files ------------------------------------------------------------------------------------

    def certificate(self) -> bytes:
        """What the listener presents."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.own.ports.clients), timeout=5) as plain:
            plain.sendall(bytes.fromhex("0000000804d2162f"))
            self.assertEqual(plain.recv(1), b"S")
            with context.wrap_socket(plain) as tls:
                presented = tls.getpeercert(binary_form=True)
        assert presented is not None
        return presented

    def renew(self) -> None:
        made = self.cluster.scratch.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=renewed",
             "-keyout", self.own.folder / "tls.key", "-out", self.own.folder / "tls.crt"]
        )  # fmt: skip
        made.check_returncode()

    def test_renewed_certificate_is_presented_and_sessions_go_on(self) -> None:
        kept = self.open(sslmode="require")
        before = self.certificate()
        self.renew()
        self.assertEqual(self.certificate(), before)
        self.hup()
        self.assertIn("listen.tls.cert_file", self.changed())
        self.assertNotEqual(self.certificate(), before)
        self.assertEqual(kept.execute("SELECT 1").fetchone(), (1,))

    def test_tls_mode(self) -> None:
        self.reload(lambda text: text.replace('mode = "allow"', 'mode = "require"'))
        with self.assertRaises(psycopg.OperationalError):
            connect(self.dsn())
        self.open(sslmode="require").close()

    def test_swapped_symlinks(self) -> None:
        """A ConfigMap: postern.toml -> ..data/postern.toml, ..data -> a folder, swapped at once."""
        folder = self.own.folder
        self.own.stop()
        for version in ("1", "2"):
            self.own._scratch.folder(f"{self.own.name}/..{version}")  # noqa: SLF001
            for name in ("postern.toml", "users.toml"):
                content = (folder / name).read_text()
                if version == "2":
                    content = content.replace("[limits]", "[limits]\nmax_clients = 77")
                    if name == "users.toml":
                        content += '[user.second]\npassword = "two"\n'
                self.own.write(f"..{version}/{name}", content)
        os.symlink("..1", folder / "..data")
        for name in ("postern.toml", "users.toml"):
            (folder / name).unlink()
            os.symlink(f"..data/{name}", folder / name)
        self.own._serve()  # noqa: SLF001
        self.open().close()
        os.symlink("..2", folder / "..swap")
        os.rename(folder / "..swap", folder / "..data")
        shutil.rmtree(folder / "..1")
        self.hup()
        self.assertIn("limits.max_clients: 10000 -> 77", self.changed())
        self.assertTrue(re.search("user second: added", self.changed()))
        self.open(user="second", password="two").close()


if __name__ == "__main__":
    import unittest

    unittest.main()
